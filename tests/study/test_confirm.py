"""The front is confirmed before a study ends; devices are simulated clocks."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from archlab.analysis.noise import equals
from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import RunFailed
from archlab.evaluation import Latency, ProxyResult
from archlab.study import Study, Watcher, load_study, run_study
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, Stages
from tests.made_up_facts import measured, proxy_result
from tests.study.spaces import MINI, write_space

ONE = "[{device: torch, name: here}]"
LOUD = "other programs kept 1.9 of 2 cores busy"


def true_ms(spec: UNetSpec) -> float:
    """As if latency followed from MACs alone."""
    return 40 * count(spec).macs_g


def quality(spec: UNetSpec) -> float:
    return 1 / count(spec).params_m


def definition_of(folder: Path, trials: int = 10, measure: str = ONE, more: str = "") -> StudyDefinition:
    text = MINI.replace("strategy: tpe, trials: 6", f"strategy: random, trials: {trials}")
    text = text.replace("measure: []", f"measure: {measure}").replace("[quality, macs_g]", "[quality, latency_ms]")
    return load_definition(write_space(folder, text + more))


@dataclass
class Clock:
    """A device. ``first`` spoils what is measured once, ``drift`` and ``jitter`` what is measured in rounds.

    Attributes:
        truth: latencies that do not follow from MACs, by content hash.
        again: content hashes in the order in which they were measured again.
    """

    first: dict[str, Latency] = field(default_factory=dict)
    truth: dict[str, float] = field(default_factory=dict)
    drift: float = 0.0
    jitter: float = 0.0
    noise: str | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    again: list[str] = field(default_factory=list)
    fails_at: int | None = None

    @property
    def stages(self) -> Stages:
        return Stages(measure=self.measure, again=self.measure_again, train=self.train)

    def measure(self, spec: UNetSpec, *_: Any) -> Latency:
        return self.first.get(spec.id) or measured(self.true_ms(spec))

    def measure_again(self, spec: UNetSpec, *_: Any) -> Latency:
        if self.fails_at == len(self.again):
            self.fails_at = None
            raise KeyboardInterrupt
        self.again.append(spec.id)
        slower = (1 + self.drift * len(self.again)) * self.chance.lognormvariate(0, self.jitter)
        return measured(self.true_ms(spec) * slower, noise=self.noise)

    def true_ms(self, spec: UNetSpec) -> float:
        return self.truth.get(spec.id) or true_ms(spec)

    def train(self, job: Job, *_: Any) -> ProxyResult:
        return proxy_result(quality(job.spec))


def run(definition: StudyDefinition, root: Path, clock: Clock, **more: Any) -> Study:
    return run_study(definition, root=root, stages=clock.stages, **more)


def true_front(study: Study) -> set[int]:
    """By the truth, worked out without archlab."""
    points = {
        int(number): (true_ms(study.architecture(str(number))), quality(study.architecture(str(number))))
        for number in study.trials.query("status == 'complete'")["trial"]
    }
    return {
        mine
        for mine, (ms, loss) in points.items()
        if not any(a <= ms and b <= loss and (a, b) != (ms, loss) for a, b in points.values())
    }


def rows(study: Study) -> pd.DataFrame:
    return study.trials.set_index("trial")


def test_front_and_picks_follow_what_was_measured_side_by_side(tmp_path: Path) -> None:
    """Two networks of nearly equal MACs, of which one was measured in a burst of another's work."""
    definition = definition_of(tmp_path)
    undisturbed = run(definition, tmp_path / "quiet", Clock())
    fast = undisturbed.front.iloc[0]
    spec = undisturbed.architecture(str(int(fast["trial"])))
    clock = Clock(first={spec.id: measured(5 * true_ms(spec), noise=LOUD)}, jitter=0.01)
    study = run(definition, tmp_path / "disturbed", clock)
    found = rows(study)
    assert set(study.front["trial"]) == true_front(study) == set(undisturbed.front["trial"])
    assert study.picks["fastest"].trial == fast["trial"]
    assert found["latency_ms"][fast["trial"]] == pytest.approx(true_ms(spec), rel=0.03)
    assert not found["latency_noisy"].any()
    assert (found["latency_rounds"][list(study.front["trial"])] >= 3).all()
    for number, row in found[found["latency_rounds"].notna()].iterrows():
        assert row["latency_low_ms"] <= row["latency_ms"] <= row["latency_high_ms"]
        assert row["latency_ms"] == pytest.approx(true_ms(study.architecture(str(number))), rel=0.03)
    assert study.record(int(fast["trial"])).evaluation.latency["here"].median_ms == found["latency_ms"][fast["trial"]]


def test_two_equals_of_which_one_was_disturbed_are_told_to_be_equal(tmp_path: Path) -> None:
    """As it happened: of two networks of 0.19 and 0.20 G MACs one was measured as 7.0 ms, the other as 39.5 ms."""
    definition = definition_of(tmp_path)
    plain = run(definition, tmp_path / "plain", Clock())
    one, other = (plain.architecture(str(int(number))) for number in plain.front["trial"].iloc[:2])
    clock = Clock(
        truth={one.id: 7.0, other.id: 7.05},
        first={one.id: measured(7.0), other.id: measured(39.5, noise=LOUD)},
        jitter=0.01,
    )
    study = run(definition, tmp_path / "disturbed", clock)
    found = study.trials.set_index("architecture").loc[[one.id, other.id]]
    assert found["latency_ms"].tolist() == pytest.approx([7.0, 7.05], rel=0.03)
    assert found["on_front"].all()
    assert equals(study.trials, "latency_ms", int(found["trial"].iloc[0])) == [int(found["trial"].iloc[1])]
    assert "may need less" in study.picks["fastest"].why


def test_what_is_surely_beaten_is_not_measured_again(tmp_path: Path) -> None:
    clock = Clock()
    study = run(definition_of(tmp_path, 12), tmp_path, clock)
    seen = Counter(clock.again)
    assert seen.keys() < set(study.trials["architecture"]) | {study.baseline_spec.id}
    assert {study.record(int(number)).architecture for number in study.front["trial"]} <= seen.keys()
    rounds = [set(one) for one in study.confirmation.devices["here"].rounds]
    assert all(study.baseline_spec.id in one for one in rounds)
    assert len(rounds) == 3  # a clock without jitter is known at once


def test_interleaving_cancels_a_device_that_heats_up(tmp_path: Path) -> None:
    """Each measurement is 0.2 % slower than the one before; a quiet device would need three rounds."""
    study = run(definition_of(tmp_path), tmp_path, Clock(drift=0.002))
    assert set(study.front["trial"]) == true_front(study)
    baseline = true_ms(study.baseline_spec)
    for _, row in study.front.iterrows():
        share = row["latency_ms"] / study.baseline["latency_ms"]
        assert share == pytest.approx(true_ms(study.architecture(str(int(row["trial"])))) / baseline, rel=0.02)


def test_a_trial_that_is_over_a_limit_after_all_leaves_the_front_with_the_reason(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, more='constraints: {latency_ms: {max: "80%"}}\n')
    plain = run(definition_of(tmp_path), tmp_path / "plain", Clock())
    limit = 0.8 * true_ms(plain.baseline_spec)
    specs = [plain.architecture(str(number)) for number in plain.trials["trial"]]
    slow = next(spec for spec in specs if true_ms(spec) > 1.1 * limit and spec != plain.baseline_spec)
    clock = Clock(first={slow.id: measured(0.9 * limit)})
    study = run(definition, tmp_path / "limited", clock)
    (row,) = study.trials[study.trials["architecture"] == slow.id].to_dict("records")
    assert (row["status"], row["gate"], row["on_front"]) == ("gated", "latency_ms", False)
    assert row["reason"] == (
        f"latency_ms {true_ms(slow):.4g} on here is over the limit of {limit:.4g}, measured side by side in 3 rounds"
    )


def test_a_share_of_a_baseline_that_was_mistaken_is_a_share_of_the_confirmed_one(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, more='constraints: {latency_ms: {max: "80%"}}\n')
    baseline = definition.space.baseline
    clock = Clock(first={baseline.id: measured(2 * true_ms(baseline))})
    study = run(definition, tmp_path, clock)
    assert study.baseline["latency_ms"] == pytest.approx(true_ms(baseline))
    assert study.limits["latency_ms"] == pytest.approx(0.8 * true_ms(baseline))
    assert (study.front["latency_ms"] <= study.limits["latency_ms"]).all()
    clock.again.clear()
    more = run(definition, tmp_path, clock, more=4)  # from now on trials are gated by it
    late = more.trials[more.trials["trial"] >= len(study.trials)]
    over = [true_ms(more.architecture(str(n))) > study.limits["latency_ms"] for n in late["trial"]]
    assert list(late["status"].isin(["gated"])) == over


def test_a_finished_confirmation_is_not_repeated_and_more_trials_are_confirmed_beside_it(tmp_path: Path) -> None:
    definition, clock = definition_of(tmp_path, 5), Clock(jitter=0.01)
    study = run(definition, tmp_path, clock)
    written, before = (tmp_path / "mini" / "confirmation.json").read_bytes(), len(clock.again)
    run(definition, tmp_path, clock)
    assert len(clock.again) == before
    assert (tmp_path / "mini" / "confirmation.json").read_bytes() == written
    more = run(definition, tmp_path, clock, more=6)
    fresh = set(clock.again[before:]) - {study.baseline_spec.id}
    assert fresh.isdisjoint(clock.again[:before])
    assert set(more.front["trial"]) == true_front(more)
    assert rows(more)["latency_rounds"][list(more.front["trial"])].notna().all()


@pytest.mark.parametrize("killed_at", [0, 1, 25])
def test_after_a_kill_in_the_middle_it_goes_on(killed_at: int, tmp_path: Path) -> None:
    definition, clock = definition_of(tmp_path), Clock(fails_at=killed_at)
    with pytest.raises(KeyboardInterrupt):
        run(definition, tmp_path, clock)
    halfway = load_study("mini", tmp_path)
    study = run(definition, tmp_path, clock)
    assert set(study.front["trial"]) == true_front(study)
    kept = halfway.confirmation.devices["here"].rounds if killed_at > 5 else ()
    assert study.confirmation.devices["here"].rounds[: len(kept)] == kept
    most = max(Counter(clock.again).values())
    assert most <= 4  # three rounds, and the one that was lost


def test_what_stays_noisy_is_said_and_measured_again_by_the_next_run(tmp_path: Path) -> None:
    definition, clock = definition_of(tmp_path), Clock(jitter=0.5, noise=LOUD)
    study = run(definition, tmp_path, clock)
    assert study.front["latency_noisy"].all()
    assert max(Counter(clock.again).values()) == 5
    noise = study.record(int(study.front["trial"].iloc[0])).evaluation.latency["here"].noise
    assert noise == f"fewer than 3 of 5 rounds were quiet: {LOUD}"
    clock.jitter, clock.noise = 0.01, None
    quiet = run(definition, tmp_path, clock)
    assert not quiet.front["latency_noisy"].any()
    assert set(quiet.front["trial"]) == true_front(quiet)


def test_a_device_that_is_gone_leaves_the_front_unconfirmed_until_it_is_back(tmp_path: Path) -> None:
    def unplugged(*_: Any) -> Latency:
        raise RunFailed("the phone is not attached")

    definition, clock = definition_of(tmp_path), Clock()
    study = run_study(definition, root=tmp_path, stages=replace(clock.stages, again=unplugged))
    assert study.confirmation.devices["here"].not_measured == "the phone is not attached"
    assert study.front["latency_rounds"].isna().all()
    assert run(definition, tmp_path, clock).front["latency_rounds"].notna().all()


def test_each_device_is_confirmed_and_recordings_are_left_as_they_are(tmp_path: Path) -> None:
    two = "[{device: torch, name: laptop}, {device: android, name: phone}]"
    definition_of(tmp_path, measure=two)
    objectives = "[quality, latency_ms, latency_ms_phone]"
    text = (tmp_path / "mini.yaml").read_text().replace("[quality, latency_ms]", objectives)
    definition = load_definition(write_space(tmp_path, text))
    clock = Clock()
    study = run(definition, tmp_path / "both", clock)
    assert [len(study.confirmation.devices[name].rounds) for name in ("laptop", "phone")] == [3, 3]

    def again(spec: UNetSpec, where: Any, *arguments: Any) -> Latency:
        latency = clock.measure_again(spec, where, *arguments)
        return replace(latency, provenance={"kind": "replayed"}) if where.name == "phone" else latency

    study = run_study(definition, root=tmp_path / "one", stages=replace(clock.stages, again=again))
    assert study.confirmation.devices["phone"].not_measured == "it is a recording, which cannot be measured again"
    assert study.front["latency_rounds"].eq(3).all()
    assert study.front["latency_rounds_phone"].isna().all()


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    clock = Clock()
    definition_of(tmp_path)
    text = (tmp_path / "mini.yaml").read_text().replace("seed: 3", "seed: 3, confirm: false")
    definition = load_definition(write_space(tmp_path, text))
    study = run(definition, tmp_path, clock)
    assert clock.again == []
    assert study.front["latency_rounds"].isna().all()


class Confirming(Watcher):
    def __init__(self) -> None:
        self.shares: list[float] = []

    def confirming(self, device: str, done: float) -> None:
        assert device == "here"
        self.shares.append(done)


def test_watchers_hear_how_far_it_is(tmp_path: Path) -> None:
    listening: Sequence[Confirming] = (Confirming(),)
    run(definition_of(tmp_path), tmp_path, Clock(jitter=0.01), watchers=listening)
    shares = listening[0].shares
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] <= 1


def test_a_share_of_a_noisy_baseline_is_measured_until_it_is_quiet_or_said_aloud(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, more='constraints: {latency_ms: {max: "80%"}}\n')
    baseline, notices = definition.space.baseline, []

    class Hearing(Watcher):
        def notice(self, line: str) -> None:
            notices.append(line)

    def run_with(quiet_at: int, name: str) -> Study:
        clock, times = Clock(), []

        def measure(spec: UNetSpec, *arguments: Any) -> Latency:
            if spec.id != baseline.id:
                return clock.measure(spec, *arguments)
            times.append(spec.id)
            return measured(true_ms(spec), noise=LOUD if len(times) < quiet_at else None)

        return run_study(
            definition, root=tmp_path / name, stages=replace(clock.stages, measure=measure), watchers=[Hearing()]
        )

    run_with(3, "quiet at last")
    assert notices == []
    study = run_with(4, "never quiet")
    (line,) = notices
    assert line.startswith(f"the limit on latency_ms, {0.8 * true_ms(baseline):.4g}, stands on a noisy number: ")
    assert f"measured 3 times ({LOUD})" in line
    assert not study.front["latency_noisy"].any()


def test_what_only_noise_puts_over_a_limit_is_trained_and_then_confirmed(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, more='constraints: {latency_ms: {max: "80%"}}\n')
    plain = run(definition_of(tmp_path), tmp_path / "plain", Clock())
    limit = 0.8 * true_ms(plain.baseline_spec)
    fast = plain.architecture(str(int(plain.front["trial"].iloc[0])))
    samples = (2 * limit, 2 * limit, 2 * limit, 0.9 * limit)
    noisy = measured(2 * limit, samples_ms=samples, bursts=(2, 1, 1), noise=LOUD)
    study = run(definition, tmp_path / "limited", Clock(first={fast.id: noisy}))
    (row,) = study.trials[study.trials["architecture"] == fast.id].to_dict("records")
    assert (row["status"], row["on_front"]) == ("complete", True)
    assert row["latency_ms"] == pytest.approx(true_ms(fast))
