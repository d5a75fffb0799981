from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingestion.features.ibsi import IbsiSettings, SettingsError
from ingestion.features.settings import FeatureSettings
from ingestion.strict_yaml import YamlFileError, read_yaml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("families: [glcm]\nfamilies: [glszm]\n", "line 2: families is given twice, first in line 1"),
        ("texture:\n  glcm_distance: 1\n  glcm_norm: euclidean\n  glcm_distance: 2\n", "line 4: glcm_distance"),
        ("{a: 1, a: 2}", "line 1: a is given twice"),
        ("a: [\n", "not readable as YAML, line 2"),
        ("a: 2020-13-45\n", "cannot be read"),
        ("[" * 5000, "nested too deeply"),
        ("? [a]\n: 1\n", "not readable as YAML"),
        ("!!python/object/apply:os.getcwd []", "not readable as YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(YamlFileError, match=said) as error:
        read_yaml(path)
    assert str(error.value).startswith(f"{path}: ")
    for reader in (FeatureSettings.from_yaml, IbsiSettings.from_yaml):
        with pytest.raises(SettingsError, match=said):
            reader(path)


def test_what_is_no_file_of_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(YamlFileError, match="does not exist"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(YamlFileError, match="is a folder"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\x00\xff")
    with pytest.raises(YamlFileError, match="UTF-8"):
        read_yaml(tmp_path / "binary.yaml")


def test_what_is_merged_in_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_yaml(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("ab1 :-", max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("ab1", min_size=1, max_size=3) | st.integers(), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_has_no_key_twice_is_read_as_the_safe_loader_reads_it(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "content.yaml"
    path.write_text(yaml.safe_dump(content))
    assert read_yaml(path) == content


def test_entries_are_named_once_and_in_words(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text('texture: {aggregations: ["2D, averaged"]}\n')
    with pytest.raises(SettingsError) as error:
        FeatureSettings.from_yaml(path)
    said = str(error.value)
    assert said.count(str(path)) == 1
    assert said.endswith("name at least one of the aggregations 2D, 2.5D, 3D")
    assert "<" not in said
