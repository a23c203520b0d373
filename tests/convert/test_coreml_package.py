import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archlab.convert import to_coreml
from archlab.errors import BadInput, MissingExtra
from archlab.unet import UNet


def test_package_has_the_names_and_shapes_of_the_spec_and_replaces_an_old_one(
    make_unet: Callable[[str], UNet], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    coremltools = pytest.importorskip("coremltools")
    path = tmp_path / "unet.mlpackage"
    path.mkdir()
    (path / "Manifest.json").write_text("{}")
    (path / "old").write_text("old")

    to_coreml(make_unet("added"), path)

    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    described = {
        feature.name: list(feature.type.multiArrayType.shape)
        for feature in (*spec.description.input, *spec.description.output)
    }
    assert described == {
        "sample": [1, 4, 8, 8],
        "timestep": [1],
        "context": [1, 7, 32],
        "text_embeds": [1, 16],
        "time_ids": [1, 6],
        "noise": [1, 4, 8, 8],
    }
    assert not (path / "old").exists()
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_to_replace_another_folder(make_unet: Callable[[str], UNet], tmp_path: Path) -> None:
    path = tmp_path / "photos.mlpackage"
    path.mkdir()
    (path / "dog.jpg").write_text("woof")
    with pytest.raises(BadInput, match=r"photos\.mlpackage: exists and is not a Core ML package"):
        to_coreml(make_unet("no_transformers"), path)
    assert (path / "dog.jpg").exists()


def test_refuses_another_suffix(make_unet: Callable[[str], UNet], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ends in \.mlpackage"):
        to_coreml(make_unet("no_transformers"), tmp_path / "unet.mlmodel")


def test_missing_extra_is_one_line(
    make_unet: Callable[[str], UNet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingExtra, match=r"converting to Core ML .*pip install 'archlab\[coreml\]'"):
        to_coreml(make_unet("no_transformers"), tmp_path / "unet.mlpackage")
    assert list(tmp_path.iterdir()) == []
