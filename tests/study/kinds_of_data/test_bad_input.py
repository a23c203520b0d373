"""What nobody can train on is one line before the study begins."""

import re
from pathlib import Path
from typing import Any

import pytest

from archlab.cli.main import main
from tests.data.layouts import pairs, png, samples
from tests.encoders.tiny import save_kl
from tests.study.kinds_of_data.commands import arguments, write_mini


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Photographs, and folders with what is not asked for."""
    pairs(tmp_path / "photos", samples(8))
    pairs(tmp_path / "two", samples(2))
    (tmp_path / "uncaptioned").mkdir()
    (tmp_path / "uncaptioned" / "0.png").write_bytes(png(0))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "00000.tar").write_bytes(b"half a shard" * 99)
    save_kl(tmp_path / "grey-vae")
    save_kl(tmp_path / "vae", channels=3)
    return tmp_path


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ({"data": "nowhere"}, "mini.yaml:.*: proxy.data: no 'nowhere', nor is it a path; valid: digits, shapes"),
        (
            {"data": "uncaptioned"},
            "uncaptioned: no captioned image; looked for .*metadata.csv .*left out: 1 × no caption",
        ),
        ({"data": "broken"}, "broken: no captioned image; .*left out: 1 × shard that is damaged or cut off"),
        ({"quality": "adherence"}, "quality: adherence needs to know what the captions state, .*not photos"),
        ({"quality": "clip_score"}, "quality: clip_score needs clip, a transformers folder with CLIP"),
        ({"quality": "recall", "samples": 3}, "quality: recall needs samples of at least"),
        ({"data": "two", "quality": "precision"}, "precision needs a data set of at least 4 images, not 2"),
        ({"extractor": "inception.pth"}, "mini.yaml:.*: proxy.extractor: no 'inception.pth', nor is it a path"),
        ({"extractor": "photos"}, "extractor: .*photos: no model: there is no config.json"),
        ({"clip": "photos"}, "clip: .*photos: no model: there is no config.json"),
        ({"vae": "nowhere"}, "mini.yaml:.*: proxy.vae: no such path: 'nowhere'"),
        ({"vae": "photos"}, "vae: .*photos: no model: there is neither config.json nor vae/config.json"),
        ({"vae": "grey-vae"}, "vae: .*grey-vae takes images of 1 channels, these have 3"),
        ({"text": "photos"}, "text: .*photos: no model: .* nor text_encoder/config.json"),
        ({"text": "vae"}, "text: .*vae: no tokenizer"),
        ({"vae": "vae", "scale": {"sample_size": 5}}, "scale: .*5"),
        ({"vae": "vae", "data": "shapes", "scale": {"sample_size": 4}}, "shapes need images of at least 16 pixels"),
        ({"precision": "bf16", "device": "cpu"}, "precision: bf16 needs a CUDA device"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(f"{key}-{named}" for key, named in value.items()),
)
def test_it_is_one_line_and_nothing_is_left_behind(
    proxy: dict[str, Any],
    told: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    space = write_mini(place, {"data": "photos", **proxy})
    monkeypatch.setattr("sys.argv", ["archlab", *arguments(space, place)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2, err
    assert out == ""
    assert re.search(told, err.splitlines()[-1]), err
    assert [line for line in err.splitlines()[:-1] if not re.match(r"\d\d:\d\d:\d\d data: ", line)] == []
    assert not [path for name in ("studies", "reports") for path in (place / name).rglob("*")]
