"""Pixels: what may show an identity there, how it is found, how it is blanked, and the evidence of both."""

from ingestion.deidentify.pixels.assess import Assessment, Hint, assess_pixels
from ingestion.deidentify.pixels.blank import BlankedPixels, blank
from ingestion.deidentify.pixels.boxes import Box
from ingestion.deidentify.pixels.burned_in import clean_burned_in, propose
from ingestion.deidentify.pixels.decision import PixelDecision, parse_boxes, parse_decision
from ingestion.deidentify.pixels.detector import TextDetector, find_detector
from ingestion.deidentify.pixels.evidence import Finding, Look, Method, PixelEvidence
from ingestion.deidentify.pixels.kinds import ACCEPTED, refuse_what_may_show_identities
from ingestion.deidentify.pixels.overlays import clear_embedded_overlays
from ingestion.deidentify.pixels.policy import OnText, PixelPolicy

__all__ = [
    "ACCEPTED",
    "Assessment",
    "BlankedPixels",
    "Box",
    "Finding",
    "Hint",
    "Look",
    "Method",
    "OnText",
    "PixelDecision",
    "PixelEvidence",
    "PixelPolicy",
    "TextDetector",
    "assess_pixels",
    "blank",
    "clean_burned_in",
    "clear_embedded_overlays",
    "find_detector",
    "parse_boxes",
    "parse_decision",
    "propose",
    "refuse_what_may_show_identities",
]
