"""What is measured of stored series and of the regions of interest that segmentations and structure sets bring."""

TOOL = "cancer-image-ingestion"
TOOL_VERSION = "3"
"""Raise it with every change that can change a value: it is part of the settings digest, so all is computed again."""
