"""Asking a catalogue over its API from Python: ``cie.Client``. Needs ``requests`` and nothing else of the platform."""

from cie.client import CatalogueError, Client, QuestionError, RefusedError

__all__ = ["CatalogueError", "Client", "QuestionError", "RefusedError"]
