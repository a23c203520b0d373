"""Settings over a YAML's: what is asked for, what is recorded, what goes on."""

from pathlib import Path

import pytest

from archlab.architecture import preset
from archlab.errors import BadInput
from archlab.study import load_definition, load_study
from archlab.study.requested import requested_definition
from archlab.study.settings import Share
from tests.fuzz.commands import run
from tests.study.conftest import Judge
from tests.study.spaces import MINI, write_space


def test_what_is_set_is_over_the_yaml_and_the_rest_is_the_yamls(tmp_path: Path) -> None:
    settings = ["proxy.seeds=3", "knobs.ff_ratio=[4, 8]", "constraints.macs_g.max=60%", "search.stop.hours=2"]
    made = requested_definition(str(write_space(tmp_path)), tmp_path, 9, [*settings, "objectives=[quality, params_m]"])
    assert (made.settings.proxy.seeds, made.settings.proxy.rungs, made.settings.search.trials) == (3, (3,), 9)
    assert (made.settings.search.seed, made.settings.search.stop.hours) == (3, 2)
    assert made.space.knobs["ff_ratio"].values == (4, 8)
    assert made.settings.limits == {"macs_g": Share(of_baseline=0.6)}
    assert made.settings.objectives == ("quality", "params_m")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "proxy.seds=3"], "--set 'proxy.seds': unknown key; did you mean 'proxy.seeds'?"),
        (["--set", "proxi.seeds=3"], "--set 'proxi.seeds': unknown key; did you mean 'proxy.seeds'?"),
        (["--set", "proxy.seeds=0"], "--set proxy.seeds: Input should be greater than or equal to 1, not 0"),
        (["--set", "knobs.ff_ration=[4]"], "--set knobs.ff_ration: unknown knob; did you mean 'ff_ratio'?"),
        (["--set", "knobs.ff_ratio=4"], "--set knobs.ff_ratio: takes a list of values"),
        (["--set", "objectives=[quality, mac_g]"], "--set objectives: no 'mac_g'; did you mean 'macs_g'?"),
        (["--set", "measure.threads=2"], "--set measure.threads: must be a list"),
        (["--set", "proxy.seeds"], "--set 'proxy.seeds': must be key=value"),
        (["--set", "baseline=tinny"], "--set baseline: 'tinny' is neither a preset"),
        (["--set", "search.strategy=grid", "--trials", "3"], "--trials: grid has a plan"),
    ],
)
def test_a_wrong_one_is_named_as_it_was_given(arguments: list[str], said: str, tmp_path: Path) -> None:
    space = str(write_space(tmp_path))
    for command in (["check", space], ["study", space, "--studies", str(tmp_path / "studies")]):
        refused = run([*command, *arguments])
        assert refused.code == 2
        assert said in refused.said
    assert [path.name for path in tmp_path.iterdir()] == ["mini.yaml"]


def test_the_study_has_what_was_set_and_goes_on_with_nothing_else(judge: Judge, tmp_path: Path) -> None:
    space = str(write_space(tmp_path))
    judge.run(requested_definition(space, tmp_path, 2, ["proxy.seeds=3"]), root=tmp_path)
    assert load_study("mini", tmp_path).resolved["proxy"]["seeds"] == 3
    with pytest.raises(BadInput, match=r"proxy\.seeds was 3 and is 1.* or another name: --name mini2"):
        judge.run(requested_definition(space, tmp_path), root=tmp_path)
    with pytest.raises(BadInput, match=r"--set proxy\.seeds: study mini is there already, and only search and trial"):
        requested_definition("mini", tmp_path, None, ["proxy.seeds=2"])
    study = judge.run(requested_definition("mini", tmp_path, 3, ["trial.minutes=5"]), root=tmp_path)
    assert (study.trials_wanted, study.proxy.seeds, study.settings.trial.minutes) == (3, 3, 5)
    assert study.trials["status"].ne("repeat").sum() == 3 + 1


def test_a_baseline_may_be_a_preset_at_another_width(judge: Judge, tmp_path: Path) -> None:
    scaled = MINI.replace("baseline: tiny", "baseline: {preset: tiny, width: 0.5}")
    definition = load_definition(write_space(tmp_path, scaled))
    assert definition.space.baseline == preset("tiny").scaled(width=0.5)
    study = judge.run(definition.with_trials(1), root=tmp_path)
    assert study.resolved["baseline"] == {"preset": "tiny", "width": 0.5}
    assert study.trials["architecture"][0] == preset("tiny").scaled(width=0.5).id
    assert study.definition.space.baseline == definition.space.baseline
    for wrong, said in (("{preset: tiny, wdth: 2}", "did you mean 'width'"), ("{preset: tinny}", "mini.yaml:2:")):
        path = write_space(tmp_path, MINI.replace("baseline: tiny", f"baseline: {wrong}"))
        with pytest.raises(BadInput, match=said):
            load_definition(path)
