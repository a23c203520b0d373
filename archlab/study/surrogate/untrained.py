"""What random weights say of architectures: the trend along which quality is expected before anything was trained.

naswot mostly orders architectures better than their costs do (`benchmarks/table_audit.py`), and takes about a step's
time (`benchmarks/untrained.py`). It is worked out of some at random, and of every architecture before it is begun; of
all others ridge regression on their features predicts it.
"""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from archlab.study.surrogate.candidates import Architecture, Candidates
from archlab.study.surrogate.fits import Attributes
from archlab.study.surrogate.gaussian_process import Floats

SURVEY = 16  # architectures
_LEAST = 4  # of them, with a score
_MOST_KNOWN = 200  # by then prediction is nearly exact
_RIDGE = 0.1
_KEY = "naswot:"

Score = Callable[[Architecture], float | None]


class Scored(NamedTuple):
    """One architecture: its score, more is better, None where it has none; and its features [D]."""

    score: float | None
    row: Sequence[float]


class UntrainedScores:
    """The scores of a study, kept with it, so that a resumed study goes on with the same."""

    def __init__(self, study: Attributes, candidates: Candidates, score: Score) -> None:
        self.study, self.candidates, self.score = study, candidates, score
        self._read: dict[str, Scored] = {}

    @cached_property
    def survey(self) -> Sequence[Architecture]:
        """Some at random: what is usual in the space is told by them."""
        return self.candidates.survey(SURVEY)

    def work_out(self, architectures: Sequence[Architecture]) -> bool:
        """The survey's and these, unless they are known or enough are; returns whether there was any."""
        known = self._known()
        before = len(known)
        for one in [*self.survey, *architectures]:
            if one.id not in known and len(known) < _MOST_KNOWN:
                known[one.id] = Scored(self.score(one), one.row.tolist())
                self.study.set_user_attr(f"{_KEY}{one.id}", json.dumps(known[one.id]))
        return len(known) > before

    def trend(self, architectures: Sequence[Architecture]) -> Floats:
        """By how many standard deviations each is expected to be worse than others, [N]: by its score, exact or
        predicted; where too few architectures have one, by what it costs."""
        known = self._known()
        scores = {name: one.score for name, one in sorted(known.items()) if one.score is not None}
        usual = np.array([scores[one.id] for one in self.survey if one.id in scores])
        if len(usual) < _LEAST or not np.ptp(usual):
            return np.array([one.cheapness for one in architectures])
        rows = np.array([known[name].row for name in scores])
        predicted = _ridge(rows, np.array(list(scores.values())), np.array([one.row for one in architectures]))
        best = [scores.get(one.id, of_others) for one, of_others in zip(architectures, predicted, strict=True)]
        return np.asarray((usual.mean() - np.array(best)) / usual.std())

    def _known(self) -> dict[str, Scored]:
        """By architecture; other drivers' and earlier ones', too."""
        for key, text in self.study.user_attrs.items():
            if key.startswith(_KEY) and (name := key.removeprefix(_KEY)) not in self._read:
                self._read[name] = Scored(*json.loads(text))
        return self._read


def _ridge(rows: Floats, scores: Floats, others: Floats) -> Floats:
    """Predicted scores of others [M, D], by standardised scores [N] of rows [N, D]."""
    from sklearn.linear_model import Ridge

    mean, sd = scores.mean(), scores.std()
    return np.asarray(mean + sd * Ridge(_RIDGE).fit(rows, (scores - mean) / sd).predict(others))
