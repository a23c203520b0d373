"""The card that draws the knee over the baseline."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from archlab.architecture import UNetSpec, preset, save
from archlab.report import write_report
from archlab.report.cards import NotYetError
from archlab.report.winner import drawings, winner_card

HOSTILE = '</svg><script>alert("1")</script>$\\frac{1}{2}$'


def drawable(make_study: Any, winner: UNetSpec, baseline: str = "tiny") -> tuple[Any, int]:
    """A made-up study whose baseline and knee can be drawn, and the knee."""
    study = make_study(samples=False, resolved={"baseline": baseline})
    knee = int(study.front["trial"].iloc[1])
    save(winner, study.folder / "trials" / str(knee) / "architecture.yaml")
    return study, knee


def test_the_knee_is_drawn_over_the_baseline_in_the_page(make_study: Any, tmp_path: Path) -> None:
    study, knee = drawable(make_study, preset("tiny").scaled(width=0.5), HOSTILE)
    page = write_report(study, tmp_path / "report", {"knee": knee}).read_text(encoding="utf-8")
    card = page[page.index('<section class="card" id="winner">') :].partition("</section>")[0]
    svg = ET.fromstring(card[card.index("<svg") : card.index("</svg>") + len("</svg>")])
    texts = [element.text or "" for element in svg.iter("text")]
    assert "64→32 channels" in texts
    assert any(f"trial {knee} (knee)" in text for text in texts)
    assert HOSTILE not in page
    assert len(card) < 250_000
    names = re.findall(r'\sid="([^"]*)"', card)[1:]
    assert names
    assert all(name.startswith("winner-") for name in names)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]*)', card)) <= set(names)
    assert not re.findall(r'https?://|href="[^#]|<metadata', card)


def test_every_trial_has_its_drawing_of_shared_parts(make_study: Any) -> None:
    study, knee = drawable(make_study, preset("tiny").scaled(width=0.5))
    gated = int(study.trials.loc[study.trials["status"] == "gated", "trial"].iloc[0])
    save(preset("tiny").scaled(width=0.75), study.folder / "trials" / str(gated) / "architecture.yaml")
    found = drawings(study, (int(number) for number in study.trials["trial"]))
    assert set(found.trials) == {knee, gated}  # the others' files are not there
    for trial, channels in {knee: 32, gated: 48}.items():
        svg = ET.fromstring("".join(found.parts[part] for part in found.trials[trial]))
        texts = {element.text for element in svg.iter("text")}
        assert {f"64→{channels} channels", f"baseline → trial {trial}"} <= texts
    assert len(found.parts) < 0.8 * sum(map(len, found.trials.values()))


def test_a_winner_that_is_the_baseline_says_so(make_study: Any) -> None:
    study, knee = drawable(make_study, preset("tiny"))
    assert winner_card(study, {"knee": knee}).sentence.startswith("Nothing: the knee")


def test_what_cannot_be_drawn_says_why(make_study: Any) -> None:
    study, knee = drawable(make_study, preset("tiny"))
    with pytest.raises(NotYetError, match="no winner"):
        winner_card(study, {})
    architecture = study.folder / "trials" / str(knee) / "architecture.yaml"
    architecture.write_text("stages: 3")
    with pytest.raises(NotYetError, match=f"trial {knee} cannot be read"):
        winner_card(study, {"knee": knee})
    architecture.unlink()
    with pytest.raises(NotYetError, match=f"trial {knee} cannot be read"):
        winner_card(study, {"knee": knee})
