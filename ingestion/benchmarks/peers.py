"""The de-identification tools that our own is measured beside, each with its Basic Profile or the nearest it has."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from ingestion.benchmarks.measure import BenchmarkError, Case

PYPI = ("dicognito", "dicom-anonymizer", "deid", "dicomsdl", "idiscore")
"""What ``make bench`` installs into environments of their own: idiscore asks for another pydicom than the others."""
IDISCORE = "idiscore"
"""The environment of that one, within the others'."""
DEBIAN = {"gdcmanon": "libgdcm-tools", "dcmodify": "dcmtk"}
"""Tools, and the packages that bring them."""
NOT_RUN = {
    "RSNA CTP": "a Java program that PyPI and Debian do not have",
    "Orthanc": "a server: what it takes in, changes and gives back goes over HTTP",
    "PIXL": "a deployment of several services",
}
"""Tools that the comparison would be fuller with, and why they are not in it."""
_DEID = """
import sys
from pathlib import Path
from deid.config import DeidRecipe
from deid.dicom import get_files, replace_identifiers
source, target = sys.argv[1:]
files = [str(path) for path in sorted(Path(source).iterdir())]
replace_identifiers(dicom_files=files, deid=DeidRecipe(), save=True, output_folder=target, remove_private=True)
"""
_DICOMSDL = """
import sys
from pathlib import Path
import dicomsdl
source, target, changes, erased = sys.argv[1:]
for path in sorted(Path(source).iterdir()):
    found = dicomsdl.open_file(str(path))
    for word in changes.split():
        name, _, value = word.partition("=")
        setattr(found, name, value)
    for name in erased.split():
        found.removeDataElement(name)
    found.saveToFile(str(Path(target) / path.name))
"""
_IDISCORE = """
import sys
from pathlib import Path
from idiscore.defaults import create_default_core
from pydicom import dcmread
source, target = sys.argv[1:]
core = create_default_core()
for path in sorted(Path(source).iterdir()):
    core.deidentify(dcmread(path)).save_as(Path(target) / path.name)
"""
_DICOGNITO = "import sys; from dicognito.__main__ import main; main(sys.argv[1:])"
"""Its command is called without arguments by the script that pip makes."""
_CHANGED = (
    "PatientName=ANON", "PatientID=ANON", "PatientBirthDate=", "ReferringPhysicianName=", "AccessionNumber=",
    "StudyDate=", "StudyTime=", "StudyID=",
)  # fmt: skip
_ERASED = (
    "InstitutionName", "InstitutionAddress", "StationName", "PhysiciansOfRecord", "PerformingPhysicianName",
    "OperatorsName", "(0010,1000)", "PatientComments", "Occupation", "RequestingPhysician",
)  # fmt: skip


def peers(environment: Path, scratch: Path, source: Path) -> tuple[list[Case], list[str]]:
    """Those that are installed, ready to run; and the names of those that are not."""
    cases: list[Case] = []
    missing: list[str] = []
    if shutil.which("gdcmanon") and shutil.which("openssl"):
        certificate = _certificate(scratch)
        arguments = ("-e", "-r", "-c", str(certificate), "-i", "IN", "-o", "OUT")
        cases.append(Case("gdcmanon", ("gdcmanon", *arguments)))
    else:
        missing.append(f"gdcmanon (Debian: {DEBIAN['gdcmanon']}, openssl)")
    if shutil.which("dcmodify"):
        changes = [word for change in _CHANGED for word in ("-ma", change)]
        changes += [word for keyword in _ERASED for word in ("-ea", keyword)]
        # Its UID options make new UIDs per file, so that references break; they are part of the cost all the same.
        command = ["dcmodify", "-nb", "-q", "-imt", "-gst", "-gse", "-gin", "-ep", *changes]
        names = [str(scratch / "out" / path.name) for path in sorted(source.iterdir())]
        cases.append(Case("dcmodify (18 attributes)", (*command, *names), in_place=True))
    else:
        missing.append(f"dcmodify (Debian: {DEBIAN['dcmodify']})")
    titles = {"dicomsdl": "dicomsdl (18 attributes)"}
    found = installed(environment)
    commands: dict[str, tuple[str, ...]] = {
        "dicomsdl": (
            "python",
            "-c",
            _DICOMSDL,
            "IN",
            "OUT",
            " ".join(_CHANGED),
            " ".join(_ERASED).replace("(0010,1000)", "OtherPatientIDs"),
        ),
        "dicognito": ("python", "-c", _DICOGNITO, "-q", "-o", "OUT", "IN"),
        "dicom-anonymizer": ("dicom-anonymizer", "IN", "OUT"),
        "idiscore": ("python", "-c", _IDISCORE, "IN", "OUT"),
        "deid": ("python", "-c", _DEID, "IN", "OUT"),
    }
    for name, (program, *words) in commands.items():
        if name in found:
            binaries = (environment / IDISCORE if name == IDISCORE else environment) / "bin"
            cases.append(
                Case(titles.get(name, name), (str(binaries / program), *words), starts=True, slow=name != "dicomsdl")
            )
        else:
            missing.append(f"{name} (PyPI; make bench says why where it does not install)")
    return cases, missing


def installed(environment: Path) -> dict[str, str]:
    """Versions of the Python tools that are there."""
    listed: dict[str, str] = {}
    for folder, names in ((environment, PYPI[:-1]), (environment / IDISCORE, PYPI[-1:])):
        pip = folder / "bin" / "pip"
        if pip.exists():
            command = [str(pip), "list", "--format=json", "--disable-pip-version-check"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True)
            there = {item["name"].replace("_", "-"): item["version"] for item in json.loads(done.stdout or "[]")}
            listed |= {name: there[name] for name in names if name in there}
    return listed


def versions(environment: Path) -> dict[str, str]:
    """The versions of the peers that are installed."""
    found = {}
    for program in DEBIAN:
        if shutil.which(program):
            said = subprocess.run([program, "--version"], capture_output=True, check=False, text=True).stdout
            found[program] = next((word for word in said.split() if word[0].isdigit() or word.startswith("v3")), "?")
    return found | installed(environment)


def _certificate(scratch: Path) -> Path:
    """gdcmanon puts the encrypted original values into the result; that needs a certificate."""
    key, certificate = scratch / "bench.key", scratch / "bench.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "2"]
    done = subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=False, text=True
    )
    if done.returncode != 0:
        raise BenchmarkError("openssl could not make a certificate for gdcmanon")
    return certificate
