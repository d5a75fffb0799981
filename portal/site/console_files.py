"""The files of the SQL console: three packages of the npm registry, fetched by ``npm`` and held against their digests.

``python -m portal.site.console_files`` (``make console``) puts them into the data folder; nothing of them is in the
repository, and nothing is fetched by a page. DuckDB-WASM would load its Parquet reader from another host, so
``parquet-wasm`` reads the files and hands Arrow to it; ``apache-arrow`` is what DuckDB-WASM itself depends on.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("console")
"""In the data folder."""
SECONDS = 600
"""For a package of 30 MB on a slow line."""


class ConsoleFilesError(RuntimeError):
    """The files can't be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package of npm. ``sha512``: base64, as in npm's ``integrity``; ``files``: of the archive, by served name."""

    name: str
    version: str
    sha512: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "@duckdb/duckdb-wasm",
        "1.32.0",
        "IewXTNYEjsZCPE9weUWgtjGxUlMRo7qhX0GF6tq/KjK8bnY+RAl4cyUdYUfcdzbyb4b9ZxPC+FOsCcxgaKFWMg==",
        {
            "duckdb-browser.cjs": "package/dist/duckdb-browser.cjs",
            "duckdb-browser-eh.worker.js": "package/dist/duckdb-browser-eh.worker.js",
            "duckdb-eh.wasm": "package/dist/duckdb-eh.wasm",
        },
    ),
    Package(
        "apache-arrow",
        "17.0.0",
        "X0p7auzdnGuhYMVKYINdQssS4EcKec9TCXyez/qtJt32DrIMGbzqiaMiQ0X6fQlQpw8Fl0Qygcv4dfRAr5Gu9Q==",
        {"Arrow.es2015.min.js": "package/Arrow.es2015.min.js"},
    ),
    Package(
        "parquet-wasm",
        "0.8.0",
        "AunZLpYYHPQCzDzeIKOO3e/p3Uqo8+DGyfEVofhlIIn/bk3EuOFJkDXlswSKDDSWOaZRv6bHrob/XynUDKmceg==",
        {
            "parquet_wasm.js": "package/esm/parquet_wasm.js",
            "parquet_wasm_bg.wasm": "package/esm/parquet_wasm_bg.wasm",
        },
    ),
)
SERVED = frozenset(name for package in PACKAGES for name in package.files)


def installed(folder: Path) -> bool:
    """Whether all files are there; they are put there together, after the digests were right."""
    return all((folder / name).is_file() for name in SERVED)


def install(folder: Path, *, npm: str = "npm") -> None:
    """Fetch the packages and put their files into ``folder``, all or none.

    Raises:
        ConsoleFilesError: there is no npm, the registry can't be reached, or a package is not the one meant.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".console-", dir=folder.parent) as scratch:
        draft = Path(scratch) / "files"
        draft.mkdir()
        for package in PACKAGES:
            unpack(package, _fetch(package, Path(scratch), npm=npm), draft)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)


def unpack(package: Package, archive: Path, target: Path) -> None:
    """Put the package's files into ``target``.

    Raises:
        ConsoleFilesError: the archive has another digest, or lacks a file.
    """
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.sha512:
        raise ConsoleFilesError(
            f"{package.name} {package.version} has SHA-512 {found[:16]}…, expected {package.sha512[:16]}…: "
            "nothing was installed. Fetch again; if it stays so, the package was replaced"
        )
    with tarfile.open(archive, "r:gz") as packed:
        for name, member in package.files.items():
            try:
                body = packed.extractfile(member)
            except KeyError:
                body = None
            if body is None:
                raise ConsoleFilesError(f"{package.name} {package.version} holds no {member}")
            (target / name).write_bytes(body.read())


def _fetch(package: Package, scratch: Path, *, npm: str) -> Path:
    place = Path(tempfile.mkdtemp(dir=scratch))
    wanted = f"{package.name}@{package.version}"
    try:
        # scripts of packages are not run: they are only unpacked
        done = subprocess.run(
            [npm, "pack", wanted, "--ignore-scripts", "--silent"], cwd=place, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise ConsoleFilesError(
            "there is no npm here: install it (Debian: apt-get install npm), then run `make console` again"
        ) from None
    except subprocess.TimeoutExpired:
        raise ConsoleFilesError(f"npm did not get {wanted} in {SECONDS // 60} minutes: try again") from None
    archives = list(place.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = done.stderr.strip().splitlines()
        raise ConsoleFilesError(f"npm can't get {wanted}: {said[-1][:200] if said else 'it does not say why'}")
    return archives[0]


def main() -> int:
    """Install into the data folder of the settings."""
    from ingestion.settings import Settings

    folder = Settings().data_dir / FOLDER
    if installed(folder):
        sys.stdout.write(f"the files of the SQL console are in {folder}\n")
        return 0
    try:
        install(folder)
    except ConsoleFilesError as error:
        sys.stderr.write(f"the SQL console stays closed: {error}\n")
        return 1
    sys.stdout.write(f"the files of the SQL console are in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
