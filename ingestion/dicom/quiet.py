"""Keeps third-party readers from quoting a file's values: their warnings and log lines can hold identities."""

from __future__ import annotations

import logging
import warnings

QUOTING_LOGGERS = ("pydicom", "highdicom", "pylibjpeg", "openjpeg", "PIL")


def silence_readers() -> None:
    """Call once in every process that reads raw objects. What matters of a warning is found by our own checks."""
    warnings.simplefilter("ignore")
    for name in QUOTING_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        logger.setLevel(logging.CRITICAL)
