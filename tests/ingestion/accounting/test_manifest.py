"""The manifest's bytes: canonical, and the same whichever way they are made."""

from __future__ import annotations

import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from ingestion.accounting.manifest import Manifest, ManifestInstance

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_attributes = st.dictionaries(st.text(max_size=6), _values, max_size=4)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    count = draw(st.integers(0, 3))
    instances = tuple(
        ManifestInstance(
            SOPInstanceUID=f"1.2.{number}",
            SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
            key=f"dicom/{number}",
            sha256=f"{number:064x}",
            size=number,
            pixel_offset=draw(st.none() | st.integers(0, 9)),
            attributes=draw(_attributes),
            pixels=draw(st.none() | _attributes),
        )
        for number in range(count)
    )
    names = {name: draw(st.text(max_size=6)) for name in ("source_id", "PatientID", "policy", "policy_digest")}
    return Manifest(
        **names, StudyInstanceUID="1.3", SeriesInstanceUID="1.4", code_version="1", key_id="k",
        header=draw(_attributes),
        varying=tuple(draw(st.lists(st.text(max_size=4), max_size=2))), instances=instances,
        withheld=tuple(draw(st.lists(st.text(max_size=4), max_size=2))),
        face=draw(st.none() | _attributes),
    )  # fmt: skip


@given(manifests())
def test_a_manifest_holds_all_of_its_fields_and_is_read_back(manifest: Manifest) -> None:
    said = asdict(manifest)
    if not manifest.withheld:
        del said["withheld"]
    plain = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert manifest.to_json() == plain.encode("utf-8")
    assert Manifest.from_json(manifest.to_json()) == manifest
