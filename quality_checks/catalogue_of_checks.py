"""All rules in the order in which they are judged and shown. Importing this costs nothing: no Great Expectations."""

from __future__ import annotations

from functools import cache

from quality_checks.crossing.clinical import RULES as CLINICAL_RULES
from quality_checks.crossing.rules import RULES as CROSSING_RULES
from quality_checks.imaging import RULES as IMAGING_RULES
from quality_checks.model import Level, Rule
from quality_checks.suites import patient, series_details, series_identity, series_images, series_terms, source, study
from quality_checks.suites.declare import TableCheck
from quality_checks.suites.source import SourceCheck
from quality_checks.withheld import WITHHELD


def source_checks() -> tuple[SourceCheck, ...]:
    """Rules on the source's state."""
    return source.CHECKS


def imaging_rules() -> tuple[Rule, ...]:
    """Rules that are checked where the objects of a series are read (``quality_checks.examination``)."""
    return IMAGING_RULES


def crossing_rules() -> tuple[Rule, ...]:
    """Rules that compare series, patients and sources with each other (``quality_checks.crossing``)."""
    return (*CROSSING_RULES, *CLINICAL_RULES)


def table_checks(level: Level) -> tuple[TableCheck, ...]:
    """The suite of one table; empty for levels without a table."""
    return {
        Level.SERIES: (*series_identity.CHECKS, *series_terms.CHECKS, *series_images.CHECKS, *series_details.CHECKS),
        Level.STUDY: study.CHECKS,
        Level.PATIENT: patient.CHECKS,
    }.get(level, ())


OF_THE_REGISTRY = frozenset({
    "source_modalities_delivered", "source_individuals_figure", "source_studies_figure", "source_series_figure",
    "series_modality_registered", "series_body_part_fits_cancer", "series_age_fits_cancer", "series_sex_fits_cancer",
})  # fmt: skip
"""Rules that compare with what the registry says of a source: they say nothing of a folder that is none."""
TABLES = (Level.SERIES, Level.STUDY, Level.PATIENT)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule once, source first, then imaging, comparing, tables.

    Raises:
        ValueError: two rules have one id.
    """
    rules = [check.rule for check in source_checks()]
    rules += IMAGING_RULES
    rules += crossing_rules()
    rules += [check.rule for level in TABLES for check in table_checks(level)]
    rules.append(WITHHELD)
    ids = [rule.id for rule in rules]
    repeated = sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1})
    if repeated:
        raise ValueError(f"rule ids must be unique: {', '.join(repeated)}")
    return tuple(rules)


@cache
def rules_by_id() -> dict[str, Rule]:
    return {rule.id: rule for rule in all_rules()}
