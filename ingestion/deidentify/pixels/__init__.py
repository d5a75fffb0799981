"""Pixels: what may show an identity there, how it is found, how it is blanked, and the evidence of both."""

from ingestion.deidentify.pixels.fragments import clean_fragments, clean_pixels
from ingestion.deidentify.pixels.kinds import ACCEPTED, refuse_what_may_show_identities

__all__ = ["ACCEPTED", "clean_fragments", "clean_pixels", "refuse_what_may_show_identities"]
