"""Names of the DCAT record under their old place; new code imports from ``ingestion.catalogue.exports``."""

from ingestion.catalogue.exports.dcat import to_json_ld, to_turtle
from ingestion.catalogue.exports.names import EUCAIM, HEALTHDCATAP
from ingestion.catalogue.exports.view import BASE

__all__ = ["BASE", "EUCAIM", "HEALTHDCATAP", "to_json_ld", "to_turtle"]
