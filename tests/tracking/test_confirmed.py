"""What was measured side by side reaches the mirror."""

from pathlib import Path
from typing import Literal

import pytest

from archlab.tracking import MirroredStudy, MirroredTrial
from archlab.tracking.watcher import MirrorWatcher
from tests.study.test_confirm import LOUD, Clock, definition_of, run


class Remembering:
    """A mirror that keeps what it is handed."""

    mode: Literal["offline"] = "offline"
    notice = place = None

    def __init__(self) -> None:
        self.trials: list[MirroredTrial] = []
        self.studies: list[MirroredStudy] = []

    def trial(self, trial: MirroredTrial) -> None:
        self.trials.append(trial)

    def study(self, study: MirroredStudy) -> None:
        self.studies.append(study)


class Watching(MirrorWatcher):
    """The watcher with such a mirror."""

    def study_started(self, study: object) -> None:
        super().study_started(study)  # type: ignore[arg-type]
        self.mirror = self.remembering = Remembering()


@pytest.mark.parametrize("noise", [None, LOUD])
def test_confirmed_trials_are_brought_up_to_date_and_noise_is_in_the_summary(noise: str | None, tmp_path: Path) -> None:
    watcher = Watching("disabled")
    study = run(definition_of(tmp_path), tmp_path, Clock(jitter=0.01, noise=noise), watchers=(watcher,))
    watcher.study_finished(study, tmp_path / "no picture")
    latest = {int(trial.row["trial"]): trial.row for trial in watcher.remembering.trials}
    table = study.trials.set_index("trial")
    confirmed = table[table["latency_rounds"].notna()]
    for number, row in confirmed.iterrows():
        assert {
            name: latest[int(str(number))][name] for name in ("latency_ms", "latency_low_ms", "latency_rounds")
        } == {name: row[name] for name in ("latency_ms", "latency_low_ms", "latency_rounds")}
    (mirrored,) = watcher.remembering.studies
    assert mirrored.summary["front_noisy"] == (len(study.front) if noise else 0)
    assert ("The front cannot be told" in mirrored.summary["health"]) == (noise is not None)
    assert set(mirrored.front["latency_noisy"]) == {noise is not None}
