"""Asking a catalogue over its API from Python: ``cie.Client``. Needs ``requests`` and nothing else of the platform."""

from cie.client import CatalogueError, Client, RefusedError

__all__ = ["CatalogueError", "Client", "RefusedError"]
