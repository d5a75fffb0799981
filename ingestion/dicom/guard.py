"""Turns what a parser throws at hostile bytes into a refusal of that object, so that its neighbours go on.

Nothing is swallowed: the refusal records the kind of the error and the line that raised it, not its text, which can
quote the file.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.errors import BytesLengthException

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

PARSER_ERRORS = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError, RecursionError,
    TypeError, ValueError, struct.error, BytesLengthException,
)  # fmt: skip
"""What parsers raise on bad bytes. Errors of the system (OSError, KeyboardInterrupt, …) are not the object's fault."""


@contextmanager
def guarded(step: str) -> Iterator[None]:
    """Refuse the object as malformed when parsing it raises one of ``PARSER_ERRORS``."""
    try:
        yield
    except InstanceRefusedError:
        raise
    except PARSER_ERRORS as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).stem}:{frame.lineno}"
        raise InstanceRefusedError(
            Reason.MALFORMED, rule=f"dicom.{step}", detail=f"{type(error).__name__} in {place}"
        ) from None
