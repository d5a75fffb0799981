"""Radiomics of one region of interest by the Image Biomarker Standardisation Initiative (IBSI), chapters 1 and 2.

``compute`` is the whole engine: an image array, a mask on its grid, the spacing and settings give every feature with
its permanent code, or a named refusal. It knows nothing of DICOM.
"""

from ingestion.features.ibsi.catalogue import Aggregation, Family, feature_table
from ingestion.features.ibsi.compute import compute
from ingestion.features.ibsi.result import Diagnostic, FeatureValue, Refusal, RegionFeatures
from ingestion.features.ibsi.settings import ENGINE_VERSION, IbsiSettings, SettingsError

__all__ = [
    "ENGINE_VERSION",
    "Aggregation",
    "Diagnostic",
    "Family",
    "FeatureValue",
    "IbsiSettings",
    "Refusal",
    "RegionFeatures",
    "SettingsError",
    "compute",
    "feature_table",
]
