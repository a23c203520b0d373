"""What is said before anybody believes the front."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from archlab.analysis.health import health
from archlab.evaluation import Latency
from archlab.study import run_study
from tests.made_up_facts import measured
from tests.study.test_confirm import LOUD, Clock, definition_of, run, true_ms

LIMIT = 'constraints: {latency_ms: {max: "80%"}}\n'
AGAIN = "Close other programs or wait until it is idle, then run `archlab study mini` again"


def test_a_quiet_front_has_nothing_to_say(tmp_path: Path) -> None:
    assert health(run(definition_of(tmp_path), tmp_path, Clock(jitter=0.01))) == []


def test_a_noisy_front_cannot_be_told(tmp_path: Path) -> None:
    study = run(definition_of(tmp_path, more=LIMIT), tmp_path, Clock(noise=LOUD))
    front, baseline = health(study)
    assert front.startswith("The front cannot be told: the latency of trial")
    assert front.endswith(
        f"on here is noisy (fewer than 3 of 5 rounds were quiet: {LOUD}). {AGAIN}: it measures them anew."
    )
    assert baseline == (
        f"The baseline's latency on here is noisy: what is compared with it and the limit of "
        f"{study.limits['latency_ms']:.4g} ms, if it is a share of it, stands on a number that may be far off. {AGAIN}."
    )


def test_what_was_measured_once_is_said_with_the_reason(tmp_path: Path) -> None:
    def replayed(*arguments: Any) -> Latency:
        return replace(measured(5.0), provenance={"kind": "replayed"})

    clock = Clock()
    stages = replace(clock.stages, again=replayed)
    study = run_study(definition_of(tmp_path), root=tmp_path, stages=stages)
    (line,) = health(study)
    assert line.endswith(
        "on here was measured once, not side by side with the baseline's: it is a recording, which cannot be measured "
        "again. Small differences may be none."
    )


def test_trials_that_a_mistaken_limit_gated_are_named(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, more=LIMIT)
    baseline = definition.space.baseline
    study = run(definition, tmp_path, Clock(first={baseline.id: measured(0.5 * true_ms(baseline))}))
    (line,) = [line for line in health(study) if line.startswith("The limit on latency_ms is ")]
    assert f"is {study.limits['latency_ms']:.4g} ms since the baseline was measured side by side" in line
    gated = study.trials[study.trials["gate"] == "latency_ms"]
    kept = gated["trial"][gated["latency_ms"] <= study.limits["latency_ms"]]
    assert len(kept)
    assert all(str(number) in line for number in kept)
