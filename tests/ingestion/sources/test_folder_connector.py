"""A folder source: every file and every archive member is listed once, whatever it is; nothing leads out of it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.sources.connector import SourceGoneError, SourceObject
from ingestion.sources.folder import FolderConnector


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "delivery"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "one.dcm").write_bytes(b"1")
    (folder / "a" / "b" / "two").write_bytes(b"22")
    return folder


def names(connector: FolderConnector) -> list[str]:
    return [item.name for item in connector.listing().objects]


def only(connector: FolderConnector, name: str) -> SourceObject:
    return next(item for item in connector.listing().objects if item.name == name)


def test_nested_files_are_listed_and_the_marker_is_not(root: Path) -> None:
    (root / "_DELIVERED").touch()
    assert names(FolderConnector(root)) == ["a/b/two", "one.dcm"]


def test_archive_members_are_objects(root: Path) -> None:
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        archive.writestr("in/three", b"333")
        archive.writestr("four", b"4444")
    connector = FolderConnector(root)
    assert names(connector) == ["a/b/two", "one.dcm", "x.zip!0!in/three", "x.zip!1!four"]
    assert connector.read(only(connector, "x.zip!1!four"), limit=10) == b"4444"


@pytest.mark.parametrize(
    ("member", "reason"),
    [("../../etc/x", Reason.ARCHIVE_UNSAFE), ("/abs", Reason.ARCHIVE_UNSAFE), ("c:\\x", Reason.ARCHIVE_UNSAFE)],
)
def test_members_that_lead_out_are_refused(root: Path, member: str, reason: Reason) -> None:
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        archive.writestr(member, b"3")
    refused = FolderConnector(root).listing().refused
    assert [item.reason for item in refused] == [reason]


def test_a_bomb_is_refused_without_unpacking(root: Path) -> None:
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    refused = FolderConnector(root).listing().refused
    assert [(item.reason, item.rule) for item in refused] == [(Reason.ARCHIVE_UNSAFE, "archive.ratio")]


def test_a_damaged_archive_is_one_refused_object(root: Path) -> None:
    (root / "x.zip").write_bytes(b"PK\x03\x04 no archive")
    listing = FolderConnector(root).listing()
    assert [item.reason for item in listing.refused] == [Reason.ARCHIVE_UNREADABLE]
    assert listing.complete


def test_a_damaged_member_is_refused_when_read(root: Path) -> None:
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("three", b"unchanged content")
    raw = (root / "x.zip").read_bytes()
    (root / "x.zip").write_bytes(raw.replace(b"unchanged content", b"UNCHANGED content"))
    connector = FolderConnector(root)
    with pytest.raises(InstanceRefusedError) as caught:
        connector.read(only(connector, "x.zip!0!three"), limit=100)
    assert caught.value.reason is Reason.ARCHIVE_UNREADABLE


def test_a_link_out_of_the_folder_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "outside")
    assert [item.rule for item in FolderConnector(root).listing().refused] == ["source.link"]


def test_special_files_are_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert [item.rule for item in FolderConnector(root).listing().refused] == ["source.special"]


def test_an_object_that_changed_since_the_listing_is_refused(root: Path) -> None:
    connector = FolderConnector(root)
    item = only(connector, "one.dcm")
    (root / "one.dcm").write_bytes(b"other bytes")
    with pytest.raises(InstanceRefusedError) as caught:
        connector.read(item, limit=100)
    assert caught.value.reason is Reason.CHANGED_WHILE_READING


def test_a_source_that_is_gone_says_so_and_shows_no_path(root: Path) -> None:
    connector = FolderConnector(root)
    item = only(connector, "one.dcm")
    root.rename(root.parent / "elsewhere")
    for action in (connector.listing, lambda: connector.read(item, limit=10)):
        with pytest.raises(SourceGoneError) as caught:
            action()
        assert "delivery" not in str(caught.value)


def test_names_stay_out_of_reprs(root: Path) -> None:
    connector = FolderConnector(root)
    assert "one.dcm" not in repr(connector.listing())
    assert str(root) not in repr(connector)


def test_an_object_over_the_limit_is_refused_unread(root: Path) -> None:
    connector = FolderConnector(root)
    with pytest.raises(InstanceRefusedError) as caught:
        connector.read(only(connector, "a/b/two"), limit=1)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_large_archive_is_opened_once_not_once_a_member(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(root / "many.zip", "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}", b"x")
    connector = FolderConnector(root)
    items = [item for item in connector.listing().objects if item.name.startswith("many.zip")]
    opened: list[object] = []
    plain = zipfile.ZipFile.__init__

    def counting(self: zipfile.ZipFile, *arguments: object, **named: object) -> None:
        opened.append(self)
        plain(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(zipfile.ZipFile, "__init__", counting)
    assert [connector.read(item, limit=10) for item in items] == [b"x"] * 300
    assert len(opened) == 1


def test_an_archive_that_changed_is_not_read_from_the_open_one(root: Path) -> None:
    connector = FolderConnector(root)
    for content in (b"first", b"other one"):
        with zipfile.ZipFile(root / "x.zip", "w") as archive:
            archive.writestr("a", content)
        assert connector.read(only(connector, "x.zip!0!a"), limit=100) == content


def test_archives_that_are_not_opened_are_named_so(root: Path) -> None:
    """Images in them must not pass for files that hold none."""
    (root / "scans.tar").write_bytes(b"x")
    with zipfile.ZipFile(root / "outer.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK")
    found = {item.name: item.reason for item in FolderConnector(root).listing().refused}
    assert found == {"outer.zip!0!inner.zip": Reason.ARCHIVE_NOT_OPENED, "scans.tar": Reason.ARCHIVE_NOT_OPENED}


def test_a_link_that_leads_out_is_for_the_data_holder_to_mend(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "outside")
    refused = FolderConnector(root).listing().refused
    assert [item.reason for item in refused] == [Reason.LINK_OUTSIDE]


def test_links_that_are_not_followed_are_accounted_for_each_by_its_name(root: Path) -> None:
    """A loop of links, a link to a folder above and one beside: each was delivered, so each has its row."""
    (root / "self").symlink_to("self")
    (root / "a" / "there").symlink_to("../a/back")
    (root / "a" / "back").symlink_to("there")
    (root / "a" / "b" / "up").symlink_to(root, target_is_directory=True)
    (root / "beside").symlink_to("a", target_is_directory=True)
    (root / "again.dcm").symlink_to("one.dcm")
    (root / "nowhere").symlink_to("gone")
    listing = FolderConnector(root).listing()
    assert [item.name for item in listing.objects] == ["a/b/two", "again.dcm", "one.dcm"]
    assert {item.name: (item.reason, item.rule) for item in listing.refused} == {
        "self": (Reason.UNREADABLE_OBJECT, "source.link"),
        "a/there": (Reason.UNREADABLE_OBJECT, "source.link"),
        "a/back": (Reason.UNREADABLE_OBJECT, "source.link"),
        "a/b/up": (Reason.NOT_DICOM, "source.link"),
        "beside": (Reason.NOT_DICOM, "source.link"),
        "nowhere": (Reason.UNREADABLE_OBJECT, "source.stat"),
    }
    assert listing.complete


def test_an_archive_without_a_file_is_accounted_for(root: Path) -> None:
    with zipfile.ZipFile(root / "empty.zip", "w") as archive:
        archive.mkdir("folder")
    refused = FolderConnector(root).listing().refused
    assert [(item.name, item.reason, item.rule) for item in refused] == [
        ("empty.zip", Reason.NOT_DICOM, "archive.empty")
    ]
