"""Headers with much in common: what they share is stepped over, and the results are the same as without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_bytes import BIG, CT, DEFLATED, EXPLICIT, IMPLICIT, PLANTED, PSEUDONYMS, Made, as_file, ids, rewriter

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.benchmarks.slices import ct_slice, enhanced_mr
from ingestion.deidentify.copying import AT_ONCE, WORTH_COPYING, copy_files
from ingestion.deidentify.identity_scan import IdentityScan
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.study import open_object, shared_runs
from ingestion.dicom.header import CHARSET

PIXELS = bytes(range(256)) * 4
_TEXTS = (b"PLAIN", PLANTED.encode() + b" ", b"CHEST 1 ", b"")
_TAGS = (
    0x00080008, 0x00080050, 0x00080060, 0x00080070, 0x00080080, 0x00080100, 0x00080102, 0x00081030, 0x00081090,
    0x00120062, 0x00120063, 0x00180010, 0x00180015, 0x00180060, 0x00181030, 0x00200010, 0x00204000, 0x00280301,
    0x00321060, 0x00400253, 0x7FE00001, 0x7FE10010,
)  # fmt: skip
_PRIVATE = (0x00090010, 0x00091001, 0x00091002, 0x000910FE, 0x00190010, 0x00190011, 0x00191001, 0x00191101, 0x00191102)
_CREATORS = (b"SAFE", b"OTHER ")


@st.composite
def _element(draw: st.DrawFn) -> Made:
    kind = draw(st.integers(0, 5))
    if kind == 0:
        tag = draw(st.sampled_from(_PRIVATE))
        creator = 0x0F < tag & 0xFFFF < 0x100
        return Made(tag, "LO", draw(st.sampled_from(_CREATORS if creator else _TEXTS)))
    if kind == 1:
        inside = tuple(draw(st.lists(_plain(), max_size=2)))
        tag = draw(st.sampled_from((0x00081140, 0x00081115, 0x00400275, 0x52009230, 0x00191010)))
        return Made(tag, "SQ", items=(inside,) * draw(st.integers(0, 2)), undefined=draw(st.booleans()))
    if kind == 2:
        return Made(CHARSET, "CS", draw(st.sampled_from((b"ISO_IR 100", b"ISO_IR 192", b"NONE"))))
    return draw(_plain())


@st.composite
def _plain(draw: st.DrawFn) -> Made:
    return Made(draw(st.sampled_from(_TAGS)), "LO", draw(st.sampled_from(_TEXTS)))


def _unique(elements: list[Made]) -> list[Made]:
    return sorted({element.tag: element for element in elements}.values(), key=lambda element: element.tag)


@st.composite
def _series(draw: st.DrawFn) -> list[bytes]:
    """Objects that differ in a few elements each; some broken, some with tags out of order or twice."""
    syntax = draw(st.sampled_from((EXPLICIT, IMPLICIT, BIG, DEFLATED)))
    common = _unique([*ids(), *draw(st.lists(_element(), min_size=4, max_size=20))])
    files = []
    for _ in range(draw(st.integers(3, 8))):
        elements = list(common)
        for _ in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(elements) - 1))
            match draw(st.integers(0, 9)):
                case 0 | 1:
                    del elements[at]
                case 2 | 3 | 4:
                    elements = _unique([*elements, draw(_element())])
                case 5 | 6 | 7:
                    elements[at] = Made(elements[at].tag, elements[at].vr, draw(st.sampled_from(_TEXTS)))
                case 8:
                    elements.append(draw(st.sampled_from(elements)))
                case _:
                    elements[0], elements[at] = elements[at], elements[0]
        if draw(st.booleans()):
            shape = [(0x00280010, b"\x08\0"), (0x00280011, b"\x08\0"), (0x00280100, b"\x10\0")]
            if syntax == BIG:
                shape = [(tag, value[::-1]) for tag, value in shape]
            elements += [Made(tag, "US", value) for tag, value in shape]
            elements.append(Made(0x7FE00010, "OW", PIXELS))
        raw = as_file(tuple(elements), syntax=syntax, sort=draw(st.integers(0, 4)) > 0)
        files.append(raw[: len(raw) - draw(st.sampled_from((0, 0, 0, 0, 1, 9)))])
    return files


def _told(work: Callable[[], object]) -> object:
    try:
        return work()
    except InstanceRefusedError as refused:
        return str(refused)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_series())
def test_what_headers_share_changes_nothing(files: list[bytes]) -> None:
    shared, together, scan = shared_runs(), rewriter(), IdentityScan()
    for raw in files * 2:  # the second time all is known

        def with_runs(raw: bytes = raw) -> object:
            opened = open_object(raw, shared)
            texts = scan.texts(opened.buffer, opened.start, opened.encoding, opened.runs)
            done = together.rewrite(opened)
            return opened.ids, dict(opened.header.places), texts, done.body(), done.treated, done.pixel_offset

        def without(raw: bytes = raw) -> object:
            opened = open_object(raw)
            texts = IdentityScan().texts(opened.buffer, opened.start, opened.encoding)
            done = rewriter().rewrite(opened)
            return opened.ids, dict(opened.header.places), texts, done.body(), done.treated, done.pixel_offset

        assert _told(with_runs) == _told(without)


def test_what_is_declared_has_one_place_where_tags_are_out_of_order() -> None:
    late = Made(0x7FE00001, "LO", b"PLAIN ")
    plain, odd = (as_file((*ids(), late, *more), syntax=EXPLICIT, sort=False) for more in ((), ids()[:1]))
    shared, together = shared_runs(), rewriter()
    for raw in (plain, plain, odd):
        opened = open_object(raw, shared)
        done = together.rewrite(opened)
    assert opened.runs, "the odd one shares no run: this shows nothing"
    assert done.body() == rewriter().rewrite(open_object(odd)).body()


def _deidentifier(*, runs: bool = True, pixels: bool = False) -> InstanceDeidentifier:
    shared = shared_runs() if runs else None
    return InstanceDeidentifier(load_policy("platform-default"), PSEUDONYMS, shared=shared, look_at_pixels=pixels)


def test_nearly_all_of_a_series_is_met_again() -> None:
    with_runs, without = _deidentifier(), _deidentifier(runs=False)
    slices = [ct_slice(number, PIXELS * 512) for number in range(1, 31)]
    for raw in slices:
        assert with_runs.deidentify(raw).body == without.deidentify(raw).body
    assert with_runs.shared is not None
    assert with_runs.shared.alike + with_runs.shared.odd == len(slices)
    assert with_runs.shared.odd <= 4
    opened = open_object(slices[-1], with_runs.shared)
    assert sum(len(run.elements) for run in opened.runs.values()) > 100


def test_one_odd_header_is_walked_over_and_counted() -> None:
    with_runs, without = _deidentifier(), _deidentifier(runs=False)
    for number in range(1, 9):
        with_runs.deidentify(ct_slice(number, PIXELS * 512))
    assert with_runs.shared is not None
    odd = with_runs.shared.odd
    other = enhanced_mr(2)
    assert with_runs.deidentify(other).body == without.deidentify(other).body
    assert with_runs.shared.odd == odd + 1


def test_headers_that_have_nothing_in_common_are_soon_left_alone() -> None:
    shared = shared_runs()
    learnt = 0
    for number in range(200):
        body = tuple(Made(0x00180010 + step, "LO", f"{number} {step} ".encode()[:6]) for step in range(40))
        before = shared._runs
        open_object(as_file((*ids(), *body)), shared)
        learnt += shared._runs is not before
    assert shared.odd == 200
    assert learnt <= 10


def test_a_private_element_is_judged_by_its_own_creator() -> None:
    """Equal bytes under another creator: what they became before must not be taken."""
    rest = tuple(Made(0x00291001 + step, "LO", b"TEXT") for step in range(4))
    shared, together = shared_runs(), rewriter()
    for creator in (b"SAFE", b"SAFE", b"OTHER ", b"SAFE"):
        raw = as_file((*ids(), Made(0x00290010, "LO", creator), *rest))
        done = together.rewrite(open_object(raw, shared))
        assert done.body() == rewriter().rewrite(raw).body()
        assert (b"TEXT" in done.body()) is (creator == b"SAFE")
    assert shared.alike == 3  # the creator is part of no run: those after it are met under any


@pytest.mark.parametrize("implicit", [False, True])
def test_files_are_copied_as_they_would_be_written(tmp_path: Path, implicit: bool) -> None:
    pixels = bytes(512 * 512 * 2)
    assert len(pixels) > WORTH_COPYING
    sources = [tmp_path / f"{number}.dcm" for number in range(AT_ONCE + 3)]
    for number, source in enumerate(sources):
        source.write_bytes(ct_slice(number, pixels, implicit=implicit))
    (tmp_path / "2.dcm").write_bytes(b"no DICOM at all")
    (tmp_path / "3.dcm").write_bytes(b"")
    out = tmp_path / "out"
    out.mkdir()
    found = list(copy_files([(source, out / source.name) for source in sources], _deidentifier()))
    assert [item.source for item in found] == sources
    for number, item in enumerate(found):
        if number in (2, 3):
            assert item.refused is not None
            assert not item.target.exists()
            continue
        assert item.done is not None
        assert item.target.read_bytes() == _deidentifier(runs=False).deidentify(item.source.read_bytes()).body
    with pytest.raises(FileExistsError):
        list(copy_files([(sources[0], out / sources[0].name)], _deidentifier()))


def test_where_the_kernel_cannot_copy_the_bytes_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(ct_slice(1, bytes(512 * 512 * 2)))

    def refuse(*_: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.copy_file_range", refuse, raising=False)
    list(copy_files([(source, target)], _deidentifier()))
    assert target.read_bytes() == _deidentifier(runs=False).deidentify(source.read_bytes()).body


def test_class_of_object_is_known() -> None:
    """The made-up series is what it says: else the tests above would compare refusals."""
    assert open_object(as_file(ids())).ids.sop_class_uid == CT
