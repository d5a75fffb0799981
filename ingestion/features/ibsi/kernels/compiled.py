"""Compiles a kernel for one signature, and keeps the machine code where it can be found again."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])
logger = logging.getLogger(__name__)


def compiled(signature: str | list[str]) -> Callable[[_Function], _Function]:
    """Compile at import, for ``signature`` only, without fast-math and without threads.

    The machine code is kept in ``NUMBA_CACHE_DIR`` where that is set, else beside the source, else in the user's cache
    folder; where none of these can be written, in a private folder below the temporary one, else nowhere.
    """

    def decorate(function: _Function) -> _Function:
        try:
            return cast(_Function, numba.njit(signature, cache=True)(function))
        except RuntimeError as error:  # numba's word for "no place for the cache"
            if "cannot cache" not in str(error):
                raise
        folder = _private_folder()
        if folder is None:
            logger.warning("no writable folder for compiled kernels: they are compiled anew in each process")
            return cast(_Function, numba.njit(signature)(function))
        setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010 - numba's settings are made while it runs
        return cast(_Function, numba.njit(signature, cache=True)(function))

    return decorate


def _private_folder() -> Path | None:
    """A folder that only this user can write: machine code of others must not be run."""
    folder = Path(tempfile.gettempdir()) / f"cie-numba-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return None
    private = folder.is_dir() and not folder.is_symlink() and state.st_uid == os.getuid() and not state.st_mode & 0o022
    return folder if private else None
