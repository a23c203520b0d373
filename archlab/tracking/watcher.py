"""Mirrors a study while it runs."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from archlab.evaluation import Confirmed, Record
from archlab.study import Study, Watcher
from archlab.tracking.mirror import Mirror, MirrorMode
from archlab.tracking.of_study import open_study_mirror, study_rows, trial_rows


class MirrorWatcher(Watcher):
    """A watcher that mirrors every finished trial, and the study at its end; the driver does not wait for W&B."""

    def __init__(self, mode: MirrorMode) -> None:
        self.mode = mode
        self.mirror: Mirror | None = None
        self.trials = 0
        self.is_confirmed = False
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mirror")
        self.handed: list[Future[None]] = []

    def study_started(self, study: Study) -> None:
        """Open the mirror; trials of earlier runs are there already."""
        self.study = study
        self.mirror = open_study_mirror(study, self.mode)

    def trial_finished(self, record: Record) -> None:
        """Mirror the trial with its curve and samples."""
        self.trials += 1
        if self.mirror is not None:
            self.handed.append(self.thread.submit(self._mirror_trial, self.mirror, record))

    def confirming(self, device: str, done: float) -> None:
        """Latencies change."""
        self.is_confirmed = True

    def study_finished(self, study: Study, figure: Path) -> None:
        """Mirror the trials whose latencies were confirmed, then the front, its figure and the table of trials; wait
        until all is mirrored."""
        mirror = self.mirror
        if mirror is not None and mirror.mode != "disabled" and (self.trials or self.is_confirmed):
            for record in study.records if self.is_confirmed else ():
                if any(isinstance(latency, Confirmed) for latency in record.evaluation.latency.values()):
                    self.handed.append(self.thread.submit(self._mirror_trial, mirror, record))
            self.handed.append(self.thread.submit(mirror.study, study_rows(study, figure)))
        self.thread.shutdown()
        for handed in self.handed:
            handed.result()

    def _mirror_trial(self, mirror: Mirror, record: Record) -> None:
        rows = trial_rows(self.study, record)
        if rows is not None:
            mirror.trial(rows)

    @property
    def remark(self) -> str | None:
        """One line for the user, if something is not mirrored as asked."""
        return self.mirror.notice if self.mirror else None
