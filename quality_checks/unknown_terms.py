"""The spellings of a source's series that no vocabulary knows, for the curators' queue."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from ingestion.catalogue.curated import Attribute, Curated
from ingestion.catalogue.unknown_spellings import unknown_spellings
from quality_checks.suites.series_terms import DERIVED_MODALITIES


def unknown_of(series: pd.DataFrame, curated: Curated) -> dict[Attribute, Counter[str]]:
    """Unknown spellings of image series, with the number of series; derived objects name software, not a maker."""
    if series.empty:
        return {attribute: Counter() for attribute in Attribute}
    images = series[~series["Modality"].isin(list(DERIVED_MODALITIES))]
    values = [
        (attribute, value if isinstance(value, str) else None)
        for attribute in Attribute
        for value in images[attribute.value]
    ]
    return unknown_spellings(values, curated)
