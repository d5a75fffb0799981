"""The SQL console's files: only the packages that are meant, all of them or none."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from portal.site import console_files
from portal.site.console_files import ConsoleFilesError, Package, install, installed, unpack


def archive_of(folder: Path, members: dict[str, bytes]) -> Path:
    place = folder / "made.tgz"
    with tarfile.open(place, "w:gz") as packed:
        for name, body in members.items():
            said = tarfile.TarInfo(name)
            said.size = len(body)
            packed.addfile(said, io.BytesIO(body))
    return place


def package_of(archive: Path, files: dict[str, str]) -> Package:
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    return Package("made", "1.0.0", digest, files)


def test_only_the_named_files_are_taken_out(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"package/a.js": b"a", "package/../../evil": b"x", "package/b.js": b"b"})
    (tmp_path / "out").mkdir()
    unpack(package_of(archive, {"served.js": "package/a.js"}), archive, tmp_path / "out")
    assert {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()} == {"served.js": b"a"}


def test_another_package_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"package/a.js": b"a"})
    meant = package_of(archive, {"served.js": "package/a.js"})
    archive.write_bytes(archive.read_bytes() + b"\0")
    (tmp_path / "out").mkdir()
    with pytest.raises(ConsoleFilesError, match="nothing was installed"):
        unpack(meant, archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_package_without_the_file_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"package/a.js": b"a"})
    with pytest.raises(ConsoleFilesError, match=r"holds no package/b\.js"):
        unpack(package_of(archive, {"b.js": "package/b.js"}), archive, tmp_path)


def test_without_npm_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConsoleFilesError, match="make console"):
        install(tmp_path / "console", npm=str(tmp_path / "no-npm"))
    assert not installed(tmp_path / "console") and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("says", ["registry down", ""])
def test_a_registry_that_does_not_answer_leaves_nothing(tmp_path: Path, says: str) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    os.chmod(npm, 0o755)
    with pytest.raises(ConsoleFilesError, match=says or "does not say why"):
        install(tmp_path / "console", npm=str(npm))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["npm"]


def test_all_packages_together_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_of(tmp_path, {"package/a.js": b"a"})
    good = package_of(archive, {"a.js": "package/a.js"})
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ncp '{archive}' ./made.tgz\n")
    os.chmod(npm, 0o755)
    bad = Package("other", "1", "x" * 88, {"b.js": "package/a.js"})
    monkeypatch.setattr(console_files, "PACKAGES", (good, bad))
    with pytest.raises(ConsoleFilesError, match="other 1 has SHA-512"):
        install(tmp_path / "console", npm=str(npm))
    assert not (tmp_path / "console").exists()
    monkeypatch.setattr(console_files, "PACKAGES", (good,))
    monkeypatch.setattr(console_files, "SERVED", frozenset({"a.js"}))
    install(tmp_path / "console", npm=str(npm))
    assert installed(tmp_path / "console")
