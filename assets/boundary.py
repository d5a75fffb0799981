"""What may leave an asset as an error: Dagster stores error texts, and a stray one can quote a patient's name."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import Failure, MetadataValue

from ingestion.accounting.erasure import SourceErasedError
from ingestion.accounting.ledger import LedgerError
from ingestion.catalogue.publication import PublicationError
from ingestion.catalogue.rebuild import NothingToPublishError
from ingestion.catalogue.rows import ManifestsIncompleteError
from ingestion.dicom.quiet import silence_readers
from ingestion.fanout import ComputeUnavailableError, WorkerCrashedError
from ingestion.identity.keys import KeyInvalidError, KeyMissingError
from ingestion.settings import SettingsError
from ingestion.sources.connector import SourceGoneError
from ingestion.sources.registry import RegistryError, UnknownSourceError
from ingestion.storage import StoreError
from quality_checks.source import NotSyncedError, QualityGateError

SPEAKING = (
    ComputeUnavailableError, KeyInvalidError, KeyMissingError, LedgerError, ManifestsIncompleteError,
    NothingToPublishError, NotSyncedError, PublicationError,
    QualityGateError, RegistryError,
    SettingsError, SourceErasedError, SourceGoneError, StoreError, UnknownSourceError, WorkerCrashedError,
)  # fmt: skip
"""Errors of ours whose texts are written for people and hold no identity."""


@contextmanager
def identity_safe(step: str) -> Iterator[None]:
    """Let errors of ours through with their text; of any other tell the kind and the place only.

    Raises:
        Failure: for every error. The run fails; the next sync goes on where this one stopped.
    """
    silence_readers()
    try:
        yield
    except Failure:
        raise
    except SPEAKING as error:
        text = str(error)
        raise Failure(description=text, metadata={"step": step, "error": type(error).__name__}) from None
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: it fails the run, without its text
        frames = [
            f"{Path(frame.filename).parent.name}/{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        raise Failure(
            description=f"{type(error).__name__} in {step}; its text is withheld because it could hold an identity",
            metadata={
                "step": step,
                "error": type(error).__name__,
                "place": MetadataValue.md("\n".join(f"- {f}" for f in frames)),
            },
        ) from None
