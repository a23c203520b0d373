"""How long a study took: the hours in which any of its trials was under way, in all of its runs together."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

from archlab.evaluation import Record
from archlab.study.finished import FinishedTrials
from archlab.study.open_trials import OpenTrials, OwnTrial
from archlab.study.paused import Span, spans_of
from archlab.study.store import Store


class Hours:
    """Of a driver's study; what has not changed is not read again."""

    def __init__(self, store: Store, finished: FinishedTrials, open_trials: OpenTrials) -> None:
        self.store, self.finished, self.open = store, finished, open_trials
        self._busy = Stretches()
        self._paused: dict[int, Sequence[Span]] = {}
        self._seen: set[int] = set()
        self._pause(spans_of(store.optuna.get_trials(deepcopy=False)))

    def until(self, now: float) -> float:
        """Up to now, in seconds since the epoch."""
        self._pause(spans_of(self.store.others()))
        own = [*takewhile(self._is_news, self.open.latest_paused), *self.open.under_way]
        self._pause({one.trial.number: one.paused.spans for one in own if one.paused is not None})
        if news := self.finished.news(self._seen):
            trials = self.store.optuna.get_trials(deepcopy=False)
            self._pause(spans_of(trials[number] for number in news))
        for number in news:
            self._finish(self.finished.trials[number])
        return self._busy.seconds(min(self.open.started, default=now), now) / 3600

    def _is_news(self, own: OwnTrial) -> bool:
        return own.paused is not None and self._paused.get(own.trial.number) != own.paused.spans

    def _pause(self, paused: dict[int, Sequence[Span]]) -> None:
        """When trials were worked on before they were paused last, by number."""
        for number, spans in paused.items():
            for start, end in spans[len(self._paused.get(number, ())) :]:
                self._busy.add(start, end)
            self._paused[number] = spans

    def _finish(self, record: Record) -> None:
        self._seen.add(record.trial)
        end = datetime.fromisoformat(record.finished).timestamp()
        last = record.seconds - sum(end - start for start, end in self._paused.get(record.trial, ()))
        self._busy.add(end - max(0.0, last), end)


class Stretches:
    """Of time, each from a start to an end; what overlaps counts once."""

    def __init__(self) -> None:
        self._starts: list[float] = []  # in order, and no two stretches touch each other
        self._ends: list[float] = []
        self._seconds = 0.0

    def add(self, start: float, end: float) -> None:
        """One more."""
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._seconds += (end - start) - (sum(self._ends[first:last]) - sum(self._starts[first:last]))
        self._starts[first:last], self._ends[first:last] = [start], [end]

    def seconds(self, start: float, end: float) -> float:
        """Of all together with one from ``start`` to ``end``."""
        overlapping = slice(bisect_left(self._ends, start), bisect_right(self._starts, end))
        known = zip(self._starts[overlapping], self._ends[overlapping], strict=True)
        return self._seconds + (end - start) - sum(min(end, until) - max(start, since) for since, until in known)
