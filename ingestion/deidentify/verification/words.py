"""Words that identify nobody by themselves, though a name or an address may hold them.

A person called Head or an institute of radiology must not quarantine every series that says 'Head First' or
'RADIOLOGY'. Such a word is not looked for alone; together with its neighbours in the value it still is. The list is
the verifier's own: it isn't the one that the text cleaner keeps words by.
"""

_WORDS = """
abdomen academic adult amc angio anon anonym anonymised anonymized anonymous arm artery avenue axial belly body bone
boulevard brain breast building cancer cardiac cardiology care center central centre centro chest child city
clinic clinica clinical clinico clinics clinique college colon community copy coronal county data default demo
department dept device diagnostic diagnostics dicom digital doctor dose elbow emergency european example exam
facility female field fondation foot foundation frame free full general german german group hand head health heart
hip hopital hospital hospitalar hospitalier hospitals hospitales house imaging institut institute institution instituto
international inconnu inpatient interne intern kidney klinik klinika klinikum knee krankenhaus laboratory lab left legs
light liver location long lower lung lungs male medical medicina medicine medic medizin mean memorial middle mobile
model modality national neck neuro none normal north nuclear null number office oncology open operator ospedale
outpatient patient patients pelvis pediatric phantom philips physician physicist place practice private prostate
protocol public radiography radiologia radiologie radiology radiotherapy referring regional remote removed research
right road room sagittal saint sample scan scanner school science sciences second section sequence series service
services short shoulder siemens site skull small south special spine standard state station street strasse study
subject supine surgery surname system systems technician technologist test tester testing thorax toshiba total trauma
trust tumor ultrasound unit university univ universita universitaet universitario unknown unspecified upper user value
woman women work workstation world wrist xray zero first last name firstname lastname middlename
given family hitachi canon fuji fujifilm hologic agfa kodak carestream elscint picker marconi medtronic medrad varian
elekta bruker samsung mindray acuson planmeca visage general electric healthcare medicalsystems fonar esaote merge
sectra hermes mirada osirix horos orthanc clearcanvas conquest dcmtk gdcm highdicom dcmqi slicer matlab offis pixelmed
deidentified deidentify deid redacted confidential hidden withheld noname nobody yes true false other
primary original derived secondary image images localizer volume acquisition screen
mister mrs ct mr mri pt pet nm us cr dx mg xa rf sc rt seg sr ap pa lat ax cor sag tra obl fse tse gre epi spgr flair
stir te tr ti fov
fmri dwi dti adc swi asl dce bold perfusion diffusion overlay overlays signed unsigned segmentation manual
mm cm kv ma sec min hz iso std roi rad hr bw max not and the for with von van del dos das les der die
la le el al de da di do du st no to of in on at by an as is it or
"""
ORDINARY = frozenset(_WORDS.split())
SAYS_NOTHING = frozenset({"", "anonymized", "anonymous", "unknown", "none", "no name", "not available", "n/a", "na"})
"""Whole values that say that nothing is said."""
