"""The finished studies that come with the repository: the present code reads them, and makes their reports."""

import re
from pathlib import Path

import pytest

from archlab.report import write_report
from archlab.study import load_study

STUDIES = Path(__file__).parents[2] / "studies"
NAMES = sorted(path.parent.name for path in STUDIES.glob("*/study.yaml"))
COMMITTED = [path for name in NAMES for path in (STUDIES / name).rglob("*") if path.is_file()]


def test_those_that_the_pages_name_are_there() -> None:
    assert {"digits_search", "mobilediffusion_ladder"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_report_is_made_anew(name: str, tmp_path: Path) -> None:
    study = load_study(name, STUDIES)
    assert (study.trials["status"] == "complete").all()
    for record in study.records:
        assert study.architecture(str(record.trial)).id == record.architecture
    assert study.definition.space.baseline.id == study.baseline_spec.id

    page = write_report(study, tmp_path / name, {word: pick.trial for word, pick in study.picks.items()})
    assert f"<title>{name}" in page.read_text(encoding="utf-8")
    assert len((tmp_path / name / "trials.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(study.trials)


def test_they_are_small_and_of_no_computer() -> None:
    named = [path for path in COMMITTED if path.suffix not in (".safetensors", ".log", ".lock")]
    assert sum(path.stat().st_size for path in named) < 2_000_000
    for path in named:
        if path.suffix in (".yaml", ".json"):
            assert not re.search(r"[\"' ]/[\w.-]+/", path.read_text(encoding="utf-8")), path
