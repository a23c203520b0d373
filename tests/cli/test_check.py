"""``archlab check`` on spaces with a plan."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from archlab.architecture import preset
from archlab.cli.check import check
from archlab.cost import count
from archlab.study.definition import load_definition
from tests.study.spaces import MINI, write_space

SPACES = Path(__file__).parents[2] / "search_spaces"


def checked(definition: Path, form: str) -> str:
    shown = CliRunner().invoke(check, [str(definition), "--no-timing", "--format", form], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.stdout


def test_the_shipped_ablation_is_shown_arm_by_arm() -> None:
    path = SPACES / "mobilediffusion_ablate.yaml"
    arms = [arm.name for arm in load_definition(path).plan().arms]
    facts = json.loads(checked(path, "json"))
    assert facts["arms"] == len(arms) == 10
    assert [row["arm"] for row in facts["ablate"]] == arms
    assert facts["left_out"] == []
    rows = {row["arm"]: row for row in csv.DictReader(io.StringIO(checked(path, "csv")))}
    assert float(rows["baseline"]["params_m"]) == pytest.approx(859.520964)
    assert float(rows["conv = separable"]["params_change"]) < -0.3
    table = checked(path, "table")
    assert all(name in table for name in arms)


def test_what_is_left_out_is_said_with_the_reason(tmp_path: Path) -> None:
    text = (SPACES / "mobilediffusion_ablate.yaml").read_text(encoding="utf-8")
    path = tmp_path / "refusing.yaml"
    path.write_text(text + "require: [\"conv == 'standard'\"]\n", encoding="utf-8")
    assert "left out: conv = separable: require excludes it\n" in checked(path, "table")


@pytest.mark.parametrize(("strategy", "arms"), [("leave_one_out", 10), ("grid", 384)])
def test_other_plans_on_the_same_knobs(strategy: str, arms: int, tmp_path: Path) -> None:
    text = (SPACES / "mobilediffusion_ablate.yaml").read_text(encoding="utf-8")
    path = tmp_path / "other.yaml"
    path.write_text(text.replace("strategy: ablate", f"strategy: {strategy}"), encoding="utf-8")
    assert json.loads(checked(path, "json"))["arms"] == arms


def test_a_search_has_no_arms() -> None:
    assert "arms" not in json.loads(checked(SPACES / "quickstart.yaml", "json"))


def test_limits_and_objectives_by_any_measure_are_said_with_their_direction(tmp_path: Path) -> None:
    text = MINI.replace(
        "measure: []", "constraints: {peak_memory_mb: {max: 300}, model_mb: {max: 60%}, adherence: {min: 0.5}}"
    )
    space = write_space(tmp_path, text.replace("[quality, macs_g]", "[quality, model_mb, adherence]"))
    facts = json.loads(checked(space, "json"))
    assert facts["peak_memory_mb_limit"] == 300
    assert facts["model_mb_limit"] == "60% of the baseline"
    assert facts["adherence_limit"] == "at least 0.5"
    assert facts["objectives"] == "quality (lower is better), model_mb (lower is better), adherence (higher is better)"


def test_every_change_alone_is_priced_before_anything_runs(tmp_path: Path) -> None:
    path = SPACES / "mobilediffusion.yaml"
    space = load_definition(path).space
    before = count(space.baseline)
    changes = json.loads(checked(path, "json"))["changes"]
    assert len(changes) == sum(len(domain.values) - 1 for domain in space.knobs.values())
    found = {(each["knob"], each["value"]): each for each in changes}
    alone = count(preset("sd15").with_channels((320, 640, 1024, 1024)))
    assert found["channels", "320 640 1024 1024"]["costs"]["macs_g"] == pytest.approx(alone.macs / 1e9)
    assert found["conv", "separable"]["changes"]["params_m"] < -0.5 * before.params_m
    assert "conv = separable" in checked(path, "table")


def test_a_baseline_outside_the_space_is_said(tmp_path: Path) -> None:
    path = tmp_path / "outside.yaml"
    path.write_text("baseline: sd15\nknobs: {ff_ratio: [4, 6], conv: [standard]}\nproxy: {data: digits}\n")
    assert "note    the baseline is outside the space: it has its own ff_ratio" in checked(path, "table")
    assert "outside" not in checked(SPACES / "mobilediffusion.yaml", "table")


def timed(space: Path, *options: str) -> Any:
    shown = CliRunner().invoke(check, [str(space), "--format", "json", *options], catch_exceptions=False)
    assert shown.exit_code == 0
    return json.loads(shown.stdout)


def test_hours_are_those_of_one_trial_times_all_of_them(tmp_path: Path) -> None:
    """Worked out from the parts that are told: steps, scoring, measuring; the baseline by its MACs besides."""
    device = "measure: [{device: torch, min_runs: 2, min_seconds: 0.01}]"
    space = write_space(tmp_path, MINI.replace("measure: []", device).replace("rungs: [3]", "rungs: [200]\n  seeds: 2"))
    found = timed(space, "--trials", "50")
    trial = 2 * (200 * found["step_seconds"] + found["score_seconds"]) + found["measure_seconds"]
    assert min(found["step_seconds"], found["score_seconds"]) > 0
    assert (found["measure_seconds"] > 0) == (found["measure_not_timed"] == "")
    assert found["hours"] == found["hours_at_least"]
    besides = 3600 * found["hours"] / trial - 50
    assert 1 < besides <= found["macs_g_max"] / found["macs_g_min"]
    assert found["timed_on"].endswith(("thread", "threads")) or "NVIDIA" in found["timed_on"]


def test_of_a_search_that_pauses_trainings_both_bounds_are_told(tmp_path: Path) -> None:
    space = write_space(tmp_path, MINI.replace("rungs: [3]", "rungs: [10, 100, 1000]").replace("tpe", "surrogate"))
    found = timed(space)
    assert found["hours_at_least"] < found["hours"] / 3
    ended = timed(space, "--set", "search.stop.hours=0.0001")
    assert ended["hours"] == ended["hours_at_least"] == 0.0001
    shown = CliRunner().invoke(check, [str(space)]).stdout
    assert "as trainings are paused or stopped at rungs, with one worker on" in shown.splitlines()[-1]


def test_what_cannot_be_timed_is_said_and_nothing_else_is_missing(tmp_path: Path) -> None:
    (tmp_path / "no images").mkdir()
    space = write_space(tmp_path, MINI.replace("data: digits", "data: no images"))
    assert "no images" in timed(space)["not_timed"]
    shown = CliRunner().invoke(check, [str(space)], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "note    how long it takes is not estimated: " in shown.stdout.splitlines()[-1]
    assert "conv = separable" in shown.stdout
