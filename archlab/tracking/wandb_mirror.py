"""One W&B run a trial and one for the study."""

import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

MEASUREMENTS = (
    *("params_m", "macs_g", "quality", "val_loss", "fid", "quality_std"),
    *("train_seconds", "seconds", "on_front", "finished", "status", "gate", "reason", "repeat_of", "fid_label"),
)
INIT_SECONDS, FINISH_SECONDS = 30, 60


class WandbMirror:
    """Mirrors rows to W&B.

    A failure never reaches the caller: an online mirror goes on offline, an offline one stops, and ``notice``
    says so. Mirroring a row again goes to the same run: its id follows from the study and the trial's number.
    """

    def __init__(
        self,
        wandb: Any,
        mode: Literal["online", "offline"],
        study_name: str,
        study_uid: str,
        folder: Path,
        knobs: Sequence[str] | None = None,
    ) -> None:
        self.wandb = wandb
        self.mode: Literal["online", "offline", "stopped"] = mode
        self.study_name, self.study_uid, self.folder, self.knobs = study_name, study_uid, folder, knobs
        self.notice: str | None = None

    def trial(
        self, row: Mapping[Any, Any], curve: Sequence[Mapping[str, Any]] = (), samples: Path | None = None
    ) -> None:
        """One run: the knobs as configuration, the training curve, the numbers as summary, the samples."""
        number = int(row["trial"])
        config, summary = self._split(row)

        def write(run: Any) -> None:
            points = _by_step(curve)
            for step, losses in points.items():
                run.log(losses, step=step)
            if samples is not None and samples.is_file():
                run.log({"samples": self.wandb.Image(str(samples))}, step=max(points, default=0))
            run.summary.update(summary)

        self._run(f"trial-{number}", "trial", config, write)

    def study(
        self,
        trials: pd.DataFrame,
        front: pd.DataFrame,
        figure: Path | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """One run: every trial and the front as tables, the front's figure, the resolved settings."""

        def write(run: Any) -> None:
            logged = {"trials": self._table(trials), "front": self._table(front)}
            if figure is not None and figure.is_file():
                logged["pareto"] = self.wandb.Image(str(figure))
            run.log(logged)
            run.summary.update({"trials_finished": len(trials), "front_size": len(front)})

        self._run(self.study_name, "study", dict(config or {}), write)

    def _run(self, name: str, job_type: str, config: dict[str, Any], write: Callable[[Any], None]) -> None:
        while self.mode != "stopped":
            wandb = self.wandb
            try:
                wandb.setup(settings=wandb.Settings(silent=True))  # its warnings ask the process, not the run
                run = wandb.init(
                    project=os.environ.get("WANDB_PROJECT") or "archlab",
                    group=self.study_name,
                    job_type=job_type,
                    name=name,
                    id=self._run_id(name, job_type),
                    resume="allow",
                    reinit="create_new",
                    config=config,
                    settings=self._settings(),
                )
                write(run)
                run.finish()
                return
            except Exception as error:  # whatever W&B, its server or the disk does, the study goes on
                self._give_way(error)
                with suppress(Exception):
                    wandb.teardown(exit_code=1)  # the failed run holds its id until W&B's process ends

    def _give_way(self, error: Exception) -> None:
        cause = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        if self.mode == "online":
            self.mode = "offline"
            self.notice = f"W&B failed ({cause}): runs are kept in {self.folder / 'wandb'}; send them with `wandb sync`"
        else:
            self.mode = "stopped"
            self.notice = f"W&B failed ({cause}): runs are no longer mirrored"

    def _settings(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.wandb.Settings(
            mode=self.mode,
            root_dir=str(self.folder),
            silent=True,
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            finish_timeout_raises=True,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )

    def _table(self, frame: pd.DataFrame) -> Any:
        rows = [[_plain(value) for value in row] for row in frame.itertuples(index=False, name=None)]
        columns = [str(column) for column in frame.columns]
        return self.wandb.Table(columns=columns, data=rows, allow_mixed_types=True)

    def _run_id(self, name: str, job_type: str) -> str:
        return hashlib.sha256("/".join((self.study_name, self.study_uid, job_type, name)).encode()).hexdigest()[:16]

    def _split(self, row: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A row as a run's configuration and summary; what was not measured is in neither."""
        known = {key: _plain(value) for key, value in row.items() if _plain(value) is not None}
        knobs = self.knobs if self.knobs is not None else [key for key in known if not _is_measurement(str(key))]
        config = {key: known[key] for key in ("trial", "architecture", *knobs) if key in known}
        return config, {key: value for key, value in known.items() if key not in config}


def _by_step(curve: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """``train/loss`` by step; with several seeds their mean, and each as ``train/loss_seed_<seed>``."""
    losses: dict[int, dict[Any, float]] = defaultdict(dict)
    for point in curve:
        losses[int(point["step"])][point.get("seed", 0)] = float(point["loss"])
    several = len({seed for by_seed in losses.values() for seed in by_seed}) > 1
    return {
        step: {"train/loss": math.fsum(by_seed.values()) / len(by_seed)}
        | ({f"train/loss_seed_{seed}": loss for seed, loss in by_seed.items()} if several else {})
        for step, by_seed in sorted(losses.items())
    }


def _plain(value: Any) -> Any:
    """The value as JSON has it; None for what is missing."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _is_measurement(column: str) -> bool:
    return column in MEASUREMENTS or column.startswith("latency_")  # of however many devices
