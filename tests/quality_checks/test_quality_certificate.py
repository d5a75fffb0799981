"""Tier and certificate of a source."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from rdflib import URIRef

from quality_checks.certificate import DQV, certificate_of
from quality_checks.judge import judge
from quality_checks.tier import ClinicalColumn, ClinicalSummary, Tier, tier_of

WHOLE = ClinicalSummary(patients=3, imaged=3, columns=dict.fromkeys(ClinicalColumn, 1.0))


@pytest.fixture(scope="module")
def judged(sound):
    tables = sound.tables()
    state = sound.state(tables)
    return judge(tables, state, entry=sound.entry()), tables, state


def test_a_sound_source_without_clinical_table_is_catalogued(sound, judged):
    verdict, tables, _ = judged
    found = tier_of(verdict, tables, sound.entry())
    assert found.tier is Tier.CATALOGUED
    assert {item.id for item in found.missing} == {"clinical_table", "clinical_sex", "clinical_age_at_diagnosis"}


def test_with_clinical_table_it_is_searchable_and_segmentations_make_it_processable(sound, judged):
    verdict, tables, _ = judged
    found = tier_of(verdict, tables, sound.entry(), clinical=WHOLE)
    assert found.tier is Tier.SEARCHABLE
    assert [item.id for item in found.missing] == ["annotations_in_seg"]
    seg = tables.series.iloc[[0]].assign(Modality="SEG", SeriesInstanceUID="2.25.9")
    with_seg = sound.bundle(tables.patient, tables.study, pd.concat([tables.series, seg], ignore_index=True))
    assert tier_of(verdict, with_seg, sound.entry(), clinical=WHOLE).tier is Tier.PROCESSABLE


@pytest.mark.parametrize(
    ("column", "value", "missing"),
    [
        ("BodyPartCode", None, "coded_body_part"),
        ("PatientSex", "Unkown", "coded_sex"),
        ("AgeAtStudy", None, "coded_age"),
    ],
)
def test_each_uncoded_attribute_is_named(sound, judged, column, value, missing):
    verdict, tables, _ = judged
    series = tables.series.astype("object")
    series.loc[:4, column] = value
    spoilt = sound.bundle(tables.patient, tables.study, series)
    found = tier_of(verdict, spoilt, sound.entry(), clinical=WHOLE)
    assert found.tier is Tier.CATALOGUED
    assert [item.id for item in found.missing] == [missing]


def test_a_share_just_below_what_is_asked_is_not_shown_as_enough(sound, judged):
    verdict, tables, _ = judged
    images = pd.concat([tables.series.assign(SeriesInstanceUID=f"2.25.{number}") for number in range(40)])
    images = images.reset_index(drop=True).astype("object")
    images.loc[: int(len(images) * 0.053), "BodyPartCode"] = None
    found = tier_of(verdict, sound.bundle(tables.patient, tables.study, images), sound.entry(), clinical=WHOLE)
    coded = next(item for item in found.requirements if item.id == "coded_body_part")
    assert not coded.met and not coded.found.startswith("95 %")


def without(sound, tables, columns, keywords):
    """The tables with ``columns`` empty in every series, and ``keywords`` told as taken out by the policy."""
    series = tables.series.astype("object")
    series[list(columns)] = None
    details = pd.DataFrame({"SeriesInstanceUID": series["SeriesInstanceUID"], "Withheld": ",".join(keywords) or None})
    made = sound.bundle(tables.patient, tables.study, series)
    return SimpleNamespace(patient=made.patient, study=made.study, series=made.series, details=details)


@pytest.mark.parametrize(
    ("columns", "keyword", "stated", "coded"),
    [
        (["Manufacturer", "ManufacturerName"], "Manufacturer", "stated_manufacturer", "coded_manufacturer"),
        (["BodyPartExamined", "BodyPartCode"], "BodyPartExamined", "stated_bodypartexamined", "coded_body_part"),
        (["AcquisitionDate"], "AcquisitionDate", "stated_acquisitiondate", "coded_acquisition_date"),
        (["AgeAtStudy"], "PatientAge", "stated_age_at_study", "coded_age"),
    ],
)
def test_what_the_policy_took_out_is_no_gap_of_the_holder(sound, judged, columns, keyword, stated, coded):
    verdict, tables, _ = judged
    found = tier_of(verdict, without(sound, tables, columns, [keyword]), sound.entry(), clinical=WHOLE)
    assert found.tier is Tier.CATALOGUED  # stated, so in the catalogue; nobody can search by it
    asked = {item.id: item for item in found.requirements}
    assert asked[stated].met and "taken out by the policy" in asked[stated].found
    assert [item.id for item in found.missing] == [coded]
    assert asked[coded].found == "0 %, 100 % taken out by the policy"
    assert "nothing is missing at the export" in asked[coded].remedy
    assert all("policy" not in item.remedy for item in found.requirements if item.id != coded)
    gone = tier_of(verdict, without(sound, tables, columns, []), sound.entry(), clinical=WHOLE)
    assert gone.tier is Tier.NONE
    assert next(item for item in gone.missing if item.id == stated).found == "0 %"


def test_unsigned_or_empty_has_no_tier(sound, judged):
    verdict, tables, _ = judged
    entry = sound.entry()
    unsigned = entry.model_copy(update={"agreement": entry.agreement.model_copy(update={"signed_on": None})})
    assert tier_of(verdict, tables, unsigned).tier is Tier.NONE
    nothing = sound.bundle(*(pd.DataFrame() for _ in range(3)))
    assert tier_of(verdict, nothing, entry).tier is Tier.NONE


def test_certificate_is_reproducible_and_names_every_rule(sound, judged):
    verdict, tables, state = judged
    first, second = (certificate_of(verdict, tables, state, sound.entry()) for _ in range(2))
    assert first.to_json() == second.to_json()
    said = json.loads(first.to_json())
    assert said["digest"] == first.digest
    assert [run["rule_id"] for run in said["checks"]] == [result.rule_id for result in verdict.results]
    assert said["counts"]["series"] == len(tables.series)
    other = certificate_of(verdict, tables, state, sound.entry(), clinical=WHOLE)
    assert other.digest != first.digest


def test_dqv_has_a_certificate_and_a_measurement_per_score(sound, judged):
    verdict, tables, state = judged
    made = certificate_of(verdict, tables, state, sound.entry())
    graph = made.to_dqv()
    dataset = URIRef(f"urn:cie:collection:{sound.entry().id}")
    assert len(list(graph.objects(dataset, DQV.hasQualityAnnotation))) == 1
    assert len(list(graph.objects(dataset, DQV.hasQualityMeasurement))) == len(made.scores) + 1
    assert set(graph) == set(made.to_dqv())


def test_certificate_of_two_sources_is_refused(sound, judged):
    verdict, tables, state = judged
    with pytest.raises(ValueError, match="one source"):
        certificate_of(verdict, tables, state, sound.entry(id="OTHER-BREAST-01"))
