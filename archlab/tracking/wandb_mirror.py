"""One W&B run a trial and one for the study."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from archlab.tracking.rows import MirroredStudy, MirroredTrial, of_one_kind, plain
from archlab.tracking.wandb_run import PATIENCE, Patience, begin_run, cause, drop_earlier
from archlab.tracking.workspace import save_workspace


class WandbMirror:
    """Mirrors rows to W&B.

    A failure never reaches the caller: an online mirror goes on offline, an offline one stops, and ``notice``
    says so. Mirroring again goes to the same runs: their ids follow from the study and the trial's number. A trial's
    run gets the steps that W&B lacks; the study's gets one more, the study as it stands. On this computer a run has one
    folder, its latest.
    """

    def __init__(
        self,
        wandb: Any,
        mode: Literal["online", "offline"],
        study_name: str,
        study_uid: str,
        folder: Path,
        knobs: Sequence[str] = (),
        patience: Patience = PATIENCE,
    ) -> None:
        self.wandb = wandb
        self.mode: Literal["online", "offline", "stopped"] = mode
        self.study_name, self.study_uid, self.folder, self.knobs = study_name, study_uid, folder, knobs
        self.patience = patience
        self.notice: str | None = None
        self.place: str | None = None

    def trial(self, trial: MirroredTrial) -> None:
        """One run: the knobs as configuration, the training curve, the numbers as summary, the samples."""
        config, summary = self._split(trial.row)

        def write(run: Any) -> None:
            points = trial.points
            if trial.samples is not None and trial.samples.is_file():
                points.setdefault(max(points, default=0), {})["samples"] = self.wandb.Image(str(trial.samples))
            for step, point in points.items():
                if step >= run.starting_step:
                    run.log(point, step=step)
            run.summary.update(summary)

        self._run(f"trial-{int(trial.row['trial'])}", "trial", config, write, trial.row.get("status"))

    def study(self, study: MirroredStudy) -> None:
        """One run: every trial and the front, with their samples, and the price list as tables; the growth of the
        hypervolume, the front's picture, the resolved settings; and once, online, a workspace."""

        def write(run: Any) -> None:
            logged = {name: self._table(frame, study.samples) for name, frame in study.tables.items()}
            if study.figure is not None and study.figure.is_file():
                logged["pareto"] = self.wandb.Image(str(study.figure))
            title = "hypervolume by finished trials"
            chart = self.wandb.plot.line(self._table(study.growth), "finished", "hypervolume", title=title)
            run.log({**logged, "hypervolume": chart}, step=max(len(study.growth), run.starting_step))
            run.summary.update(study.summary)

        run = self._run(self.study_name, "study", dict(study.settings), write)
        if run is not None and self.mode == "online":
            self.place = run.project_url
            self._save_workspace(run, study)

    def _run(
        self,
        name: str,
        job_type: str,
        config: dict[str, Any],
        write: Callable[[Any], None],
        status: str | None = None,
    ) -> Any:
        """Write a run and return it; None where that was not possible."""
        while self.mode != "stopped":
            wandb = self.wandb
            try:
                run = begin_run(
                    wandb,
                    self.mode,
                    self.folder,
                    identity=(self.study_name, self.study_uid, job_type, name),
                    name=name,
                    group=self.study_name,
                    job_type=job_type,
                    config=config,
                    tags=[status] if status else None,
                    patience=self.patience,
                )
                write(run)
                run.finish(exit_code=int(status == "failed"))
                drop_earlier(run, self.folder)
                self.place = run.url or str(self.folder / "wandb")
                return run
            except Exception as error:  # whatever W&B, its server or the disk does, the study goes on
                self._give_way(error)
                with suppress(Exception):
                    wandb.teardown(exit_code=1)  # the failed run holds its id until W&B's process ends
        return None

    def _give_way(self, error: Exception) -> None:
        if self.mode == "online":
            self.mode = "offline"
            kept = f"runs are kept in {self.folder / 'wandb'}; send them with `archlab track {self.study_name}`"
            self.notice = f"W&B failed ({cause(error)}): {kept}"
        else:
            self.mode = "stopped"
            self.notice = f"W&B failed ({cause(error)}): runs are no longer mirrored"

    def _save_workspace(self, run: Any, study: MirroredStudy) -> None:
        saved = self.folder / "wandb" / "workspace.url"
        try:
            save_workspace(saved, run.entity, run.project, self.study_name, study)
        except Exception as error:  # missing package or a server that refuses: the runs are there all the same
            self.notice = self.notice or f"no W&B workspace was saved ({cause(error)})"

    def _table(self, frame: pd.DataFrame, samples: Mapping[int, Path] | None = None) -> Any:
        """The frame; its trials with their ``samples``, where any has some."""
        columns = {str(name): of_one_kind(list(frame[name])) for name in frame}
        if samples and "trial" in frame:
            columns["samples"] = [self._image(samples.get(int(trial))) for trial in frame["trial"]]
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        return self.wandb.Table(columns=list(columns), data=rows)

    def _image(self, path: Path | None) -> Any:
        return None if path is None else self.wandb.Image(str(path))

    def _split(self, row: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A row as a run's configuration and summary; what was not measured is in neither."""
        known = {key: plain(value) for key, value in row.items() if plain(value) is not None}
        config = {key: known[key] for key in ("trial", "architecture", *self.knobs) if key in known}
        return config, {key: value for key, value in known.items() if key not in config}
