"""Settings from several places: which one wins, and which one an error names."""

from pathlib import Path

import pytest

from archlab.document import Document
from archlab.errors import BadInput
from archlab.layered import Layer, Written, assignment, read_layers
from archlab.proxy.settings import ProxySettings

STUDY = Written({"data": "digits", "ema_decay": 0.9, "scale": {"width": 0.2, "sample_size": 8}}, lambda _: "study")


def read(*layers: Layer) -> ProxySettings:
    return read_layers(ProxySettings, layers, Written({}, lambda place: f"--{place[-1]}"))


def config(folder: Path, text: str) -> Document:
    (folder / "train.yaml").write_text(text, encoding="utf-8")
    return Document(folder / "train.yaml", "a config")


def test_the_later_place_wins_key_by_key(tmp_path: Path) -> None:
    file = config(tmp_path, "ema_decay: 0.95\nbatch_size: 8\nscale: {width: 0.3}\ndistill: {output: 2}\n")
    options = Written({"batch_size": 4}, lambda place: f"--{place[-1]}")
    settings = read(STUDY, file, options, assignment(ProxySettings, "training.batch_size=2"))
    assert (settings.data, settings.ema_decay, settings.batch_size) == ("digits", 0.95, 2)
    assert (settings.scale.width, settings.scale.sample_size) == (0.3, 8)
    assert read(STUDY, file, assignment(ProxySettings, "distill=null")).distill is None


def test_a_key_goes_with_its_package_or_without_and_its_value_is_yaml() -> None:
    for given in ("ema_decay=5e-1", "training.ema_decay=.5"):
        assert read(STUDY, assignment(ProxySettings, given)).ema_decay == 0.5
    settings = read(STUDY, *(assignment(ProxySettings, given) for given in ("distill={output: 3}", "scale.width=1")))
    assert settings.distill is not None
    assert (settings.distill.output, settings.scale.width, settings.scale.sample_size) == (3, 1, 8)
    assert read(STUDY, assignment(ProxySettings, "data.data=shapes")).data == "shapes"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ema_deacy=1", "--set 'ema_deacy': unknown key; did you mean 'ema_decay'?"),
        ("traning.ema_decay=1", "--set 'traning.ema_decay': unknown key; did you mean 'training.ema_decay'?"),
        ("scale.wdth=1", "--set 'scale.wdth': unknown key; did you mean 'scale.width'?"),
        ("batch_size.x=1", "--set 'batch_size.x': unknown key; did you mean 'training.batch_size'?"),
        ("ema_decay=2", "--set ema_decay: Input should be less than 1, not 2"),
        ("objective=epsilom", "--set objective: no 'epsilom'; did you mean 'epsilon'?"),
        ("batch_size=010", "--set batch_size: '010' is not YAML: 010 is no number of YAML 1.2"),
        ("encoders.vae=nowhere", "--set encoders.vae: no such path: 'nowhere'"),
        ("ema_decay", "--set 'ema_decay': must be key=value"),
    ],
)
def test_what_is_wrong_is_said_of_the_option_as_it_was_given(given: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        read(STUDY, assignment(ProxySettings, given))
    assert str(error.value).startswith(message)


def test_what_is_wrong_in_a_file_has_its_line_whatever_comes_after_it(tmp_path: Path) -> None:
    file = config(tmp_path, "batch_size: 4\nlearning_rate: -1\n")
    with pytest.raises(BadInput, match=r"train\.yaml:2:16: learning_rate: Input should be greater than 0, not -1"):
        read(STUDY, file, assignment(ProxySettings, "ema_decay=0.5"))
    with pytest.raises(BadInput, match=r"^--data: is missing"):
        read(config(tmp_path, "batch_size: 4\n"))


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    file = config(tmp_path / "below", "data: images\n")
    assert read(STUDY, file).data == "below/images"
    assert read(STUDY, file, Written({"data": "below/images"}, lambda _: "--data")).data == "below/images"
