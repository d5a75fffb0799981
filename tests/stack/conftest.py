"""One real stack for all tests here: PostgreSQL, object store, Dagster, the report pages, and three demo sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingestion.settings import Settings

CIE = str(Path(sys.executable).parent / "cie")
HEALTHY = ("PRCI-PROST-02", "INCI-BREAST-GR1")
BLOCKED = "GBM-NL"
"""A source that the demo makes wrong in a way that the quality rules must stop."""
SOURCES = (*HEALTHY, BLOCKED)
TIMEOUT_SECONDS = 500


@dataclass(frozen=True)
class DemoStack:
    """A running stack. ``first``: what ``cie demo --json`` printed."""

    data_dir: Path
    first: dict[str, Any]

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.data_dir)

    def cie(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run_cie(self.data_dir, *arguments, check=check)


def run_cie(data_dir: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CIE_")}
    environment["CIE_DATA_DIR"] = str(data_dir)
    done = subprocess.run(
        [CIE, *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd=data_dir,
    )
    if check and done.returncode:
        logs = "\n".join(
            f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in sorted(data_dir.glob("logs/*.log"))
        )
        pytest.fail(f"cie {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}\n{logs}")
    return done


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoStack]:
    # Directly below the temporary folder: PostgreSQL's user must be able to enter the folders above its data.
    data_dir = Path(tempfile.mkdtemp(prefix="cie-stack-"))
    try:
        done = run_cie(data_dir, "demo", "--sources", ",".join(SOURCES), "--json")
        yield DemoStack(data_dir, json.loads(done.stdout))
    finally:
        run_cie(data_dir, "down", check=False)
        shutil.rmtree(data_dir, ignore_errors=True)
