from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from archlab.architecture import AddedConditioning, UNetSpec, find, from_dict, load, preset, presets, save, to_yaml
from archlab.errors import BadInput


def refusal(path: Path, content: str | bytes) -> str:
    """The message about a file with this content; it is one line and begins with the file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:").strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "an architecture – größer.yaml"


@pytest.mark.parametrize("name", presets())
def test_saved_preset_is_loaded_unchanged(name: str, file: Path) -> None:
    save(preset(name), file)
    assert load(file) == preset(name)
    assert load(str(file)).id == preset(name).id


def test_every_attribute_is_written(small: UNetSpec, file: Path) -> None:
    spec = replace(small, added=AddedConditioning(text_dim=16), in_channels=1, context_length=3)
    save(spec, file)
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert written["added"] == {"text_dim": 16, "time_ids": 6, "time_dim": 256}
    assert written["stages"][1]["down"][0]["transformers"][0]["attention_normalizer"] == "softmax"
    assert load(file) == spec


def test_to_dict_and_from_dict_are_inverse(small: UNetSpec) -> None:
    assert from_dict(small.to_dict()) == small


def test_defaults_may_be_left_out(file: Path) -> None:
    file.write_text(
        """
        sample_size: 8
        norm_groups: 8
        stages: [{channels: 32, down: [{}], up: [{transformers: [{heads: 4}]}]}]
        middle: []
        """,
        encoding="utf-8",
    )
    spec = load(file)
    assert spec.in_channels == 4
    assert spec.stages[0].up[0].transformers[0].ff_ratio == 8
    assert spec.stages[0].down[0].transformers == ()


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml: no such file$"):
        load(tmp_path / "nowhere.yaml")


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="directory"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "# nothing\n", "- a\n", "hello\n", "3\n"])
def test_file_that_is_no_mapping(content: str, file: Path) -> None:
    assert "an architecture YAML is a mapping" in refusal(file, content)


def test_not_utf8(file: Path) -> None:
    assert refusal(file, b"sample_size: \xff") == "not a UTF-8 text file"


def test_garbage_yaml_has_line_and_column(file: Path) -> None:
    assert refusal(file, "stages: [1, 2\nmiddle: }").startswith("2:7: not YAML")


@pytest.mark.parametrize(
    "content",
    [
        "!!python/object/apply:os.getcwd []",
        "sample_size: !!python/name:os.system",
        "sample_size: !!int many",
        "sample_size: !!bool many",
        "sample_size: !!timestamp many",
        "sample_size: \x00",
        "sample_size: 2024-13-45",  # looks like a date and is none
        "sample_size: " + "1" * 5000,
        "stages: " + "[" * 3000,
        "? [a]\n: b",
        "stages: &a [*a]\nmiddle: []\nsample_size: 8",
    ],
    ids=["object", "name", "int", "bool", "timestamp", "nul", "date", "digits", "deep", "list as key", "recursive"],
)
def test_hostile_yaml_is_one_line(content: str, file: Path) -> None:
    refusal(file, content)


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("sample_size: 32", "sample_siz: 32", "sample_siz"),
        ("middle:", "muddle:", "muddle"),
        ("heads: 4", "headz: 4", "headz"),
        ("ff_ratio: 8.0", "ff_rato: 4.0", "ff_rato"),
        ("norm_groups: 16", "norm_group: 8", "norm_group"),
        ("added: null", "additional: 3", "additional"),
    ],
)
def test_unknown_key_is_named(good: str, bad: str, message: str, file: Path) -> None:
    text = to_yaml(preset("tiny"))
    assert good in text
    assert message in refusal(file, text.replace(good, bad, 1))


def test_repeated_key_is_refused(file: Path) -> None:
    assert "sample_size" in refusal(file, to_yaml(preset("tiny")) + "sample_size: 64\n")


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("sample_size: 32\n", "", "sample_size: Field required"),
        ("channels: 64\n  down", "down", "stages[0].channels: Field required"),
        ("heads: 4,", "", "stages[0].down[0].transformers[0].heads: Field required"),
        ("heads: 4", "heads: 4.5", "stages[0].down[0].transformers[0].heads"),
        ("heads: 4", "heads: four", "stages[0].down[0].transformers[0].heads"),
        ("heads: 4", "heads: 5", "down.0.0.transformers[0]: 5 heads do not divide 64 channels"),
        ("conv: standard", "conv: seperable", "stages[0].down[0].conv"),
        ("kv_sharing: none", "kv_sharing: both", "stages[0].down[0].transformers[0].kv_sharing"),
        ("ff_activation: gelu", "ff_activation: gleu", "ff_activation"),
        ("sample_size: 32", "sample_size: 30", "sample_size: 30 cannot be halved 2 times"),
        ("sample_size: 32", "sample_size: null", "sample_size: Input should be a valid integer"),
        ("ff_ratio: 8.0", "ff_ratio: .nan", "ff_ratio"),
        ("ff_ratio: 8.0", "ff_ratio: .inf", "ff_ratio"),
        ("added: null", "added: 3", "added"),
    ],
)
def test_wrong_value_is_named_with_its_place(good: str, bad: str, message: str, file: Path) -> None:
    text = to_yaml(preset("tiny"))
    assert good in text
    assert message in refusal(file, text.replace(good, bad, 1))


def test_find_takes_presets_and_files(small: UNetSpec, tmp_path: Path) -> None:
    save(small, tmp_path / "mine.yaml")
    assert find("sd15") == preset("sd15")
    assert find("mine.yaml", relative_to=tmp_path) == small
    assert find(str(tmp_path / "mine.yaml")) == small


def test_find_names_the_nearest_preset() -> None:
    with pytest.raises(BadInput, match=r"^'tinny' is neither .*; did you mean 'tiny'\?$"):
        find("tinny")


def test_no_name_is_no_folder() -> None:
    with pytest.raises(BadInput, match=r"^'' is neither a preset"):
        find("")


def test_failed_save_leaves_the_old_file(small: UNetSpec, tmp_path: Path) -> None:
    target = tmp_path / "folder.yaml"
    target.mkdir()
    with pytest.raises(OSError, match=r"folder\.yaml"):
        save(small, target)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.yaml"]
