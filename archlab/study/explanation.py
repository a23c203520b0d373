"""What the surrogate makes of a study's table: how well it predicts, which knobs it says matter, and what it expects of
architectures that were not trained. Words and pictures are the report's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from archlab.analysis.table import StudyTable
from archlab.evaluation.measures import COSTS, find_column
from archlab.space.knobs import Value
from archlab.study.begun import begun_of
from archlab.study.evaluate import STAGES
from archlab.study.surrogate.candidates import Candidates
from archlab.study.surrogate.estimates import Estimates
from archlab.study.surrogate.fits import Fits, InMemory
from archlab.study.surrogate.forecast import LEVEL, forecast
from archlab.study.surrogate.gaussian_process import Floats, Integers
from archlab.study.surrogate.history import Gain, Pace
from archlab.study.surrogate.importance import KnobEffect, knob_effects
from archlab.study.surrogate.outlook import Outlook
from archlab.study.surrogate.quality import QualityModel

LEAST = 5  # trials, trained to the end, that tell anything
_MOST_PROMISING = 8
_LIKELY = 0.5
_HALF = float(ndtri((1 + LEVEL) / 2))  # of an interval, in standard deviations


class Predicted(NamedTuple):
    """A quality with both ends of its prediction interval."""

    median: float
    low: float
    high: float


class Check(NamedTuple):
    """A trial's quality as it was observed, and as it is predicted without it."""

    trial: int
    observed: float
    predicted: Predicted

    @property
    def is_inside(self) -> bool:
        """Whether the interval has it."""
        return self.predicted.low <= self.observed <= self.predicted.high


@dataclass(frozen=True)
class Calibration:
    """How well the surrogate predicts qualities, of the last rung, that it is not given.

    Attributes:
        untrained: from the other architectures alone.
        begun: from the architecture's own lower rungs, too; of the trials that have any.
        lower: qualities at the highest rung of those that did not come to the last, from other architectures alone.
    """

    untrained: Sequence[Check]
    begun: Sequence[Check]
    lower: Sequence[Check]


class Promise(NamedTuple):
    """An architecture that was not trained.

    Attributes:
        costs: the objectives and params and MACs, by column.
        predicted_costs: those columns that are no fact but predicted, too.
        chance: that nothing on the front is better in everything.
    """

    values: Mapping[str, Value]
    quality: Predicted
    costs: Mapping[str, float]
    predicted_costs: Sequence[str]
    chance: float


@dataclass(frozen=True)
class Explanation:
    """What the surrogate makes of a study.

    Attributes:
        knobs: the greatest effect first.
        promising: what is more likely on the front than not, the greatest expected improvement first.
        begun: how many trials the surrogate knows.
        looked_at: how many further architectures were asked about.
        hour: what a further hour of one worker is expected to bring; None where the study's pace is not known.
    """

    calibration: Calibration
    knobs: Sequence[KnobEffect]
    promising: Sequence[Promise]
    begun: int
    looked_at: int
    hour: Gain | None


def explain(study: StudyTable) -> Explanation | None:
    """None for fewer than `LEAST` trials trained to the end, and where an objective besides quality is a score."""
    objectives = [name for name in study.objectives if name != "quality"]
    rungs = study.proxy.rungs
    found = (begun_of(record, study.space, rungs) for record in study.records)
    begun = [one for one in found if one is not None]
    if sum(rungs[-1] in one.qualities for one in begun) < LEAST or any(_is_score(name) for name in objectives):
        return None
    candidates = Candidates(study.space, seed=0)
    limits = {name: study.limits[name] for name in COSTS if name in study.limits}
    near = [one.values for one in begun if one.trial in set(study.front["trial"])]
    known = {record.architecture for record in study.records}
    outlook = Outlook(
        rungs=rungs,
        objectives=objectives,
        limits={name: limit for name, limit in study.limits.items() if not _is_score(name)},
        groups=candidates.groups,
        fits=Fits(InMemory()),
        begun=begun,
        begun_as=[candidates.describe(one.values) for one in begun],
        new=candidates.unseen(known, near, limits, draw=0),
        estimates=Estimates(study.space, study.measure, STAGES.estimate),
    )
    pace = Pace()
    for one in begun:
        pace.count(one)
    steps_an_hour = pace.steps_an_hour()
    return Explanation(
        calibration=_calibration(outlook.quality),
        knobs=knob_effects(study.space, outlook, LEVEL),
        promising=_promising(outlook) if outlook.new else [],
        begun=len(begun),
        looked_at=len(outlook.new),
        hour=None if steps_an_hour is None else forecast(outlook, steps_an_hour),
    )


def _calibration(model: QualityModel) -> Calibration:
    seen, is_last = model.seen, model.seen.inputs.rung == 0
    had_rungs = np.bincount(seen.begun[~is_last], minlength=len(model.begun))[seen.begun] > 0
    highest = np.full(len(model.begun), model.last)
    np.minimum.at(highest, seen.begun, seen.inputs.rung)
    is_highest = seen.inputs.rung == highest[seen.begun]
    return Calibration(
        untrained=_checks(model, seen.begun, is_last),
        begun=_checks(model, np.arange(len(seen.begun)), is_last & had_rungs),
        lower=_checks(model, seen.begun, is_highest & ~is_last),
    )


def _checks(model: QualityModel, parts: Integers, wanted: Integers) -> list[Check]:
    """Of those that are wanted, each predicted without its part."""
    mean, sd = model.given_seen.left_out(parts)
    return [
        Check(
            trial=model.begun[model.seen.begun[place]].trial,
            observed=float(np.exp(model.seen.values[place])) - model.shift,
            predicted=_predicted(mean[place], sd[place], model.shift),
        )
        for place in np.flatnonzero(wanted)
    ]


def _predicted(mean: float, sd: float, shift: float) -> Predicted:
    ends = (float(np.exp(mean + way * sd)) - shift for way in (0.0, -_HALF, _HALF))
    return Predicted(*ends)


def _promising(outlook: Outlook) -> list[Promise]:
    end, shift = outlook.end, outlook.quality.shift
    chance = np.mean([_chance(outlook, end.mean, end.sd, costs) for costs in outlook.costs.scenarios], axis=0)
    chance = chance * outlook.costs.is_met[outlook.candidates]
    order = [place for place in np.argsort(-outlook.gains, kind="stable") if chance[place] > _LIKELY]
    middle = np.median(outlook.costs.scenarios, axis=0)[outlook.candidates]
    unsure = np.ptp(outlook.costs.scenarios, axis=0)[outlook.candidates] > 0
    promises = []
    for place in order[:_MOST_PROMISING]:
        one = outlook.architectures[outlook.candidates[place]]
        costs = dict(zip(outlook.objectives, middle[place].tolist(), strict=True))
        promises.append(
            Promise(
                values=one.values,
                quality=_predicted(end.mean[place], end.sd[place], shift),
                costs=costs | {name: getattr(one.cost, name) for name in COSTS},
                predicted_costs=[name for name, is_so in zip(outlook.objectives, unsure[place], strict=True) if is_so],
                chance=float(chance[place]),
            )
        )
    return promises


def _chance(outlook: Outlook, mean: Floats, sd: Floats, costs: Floats) -> Floats:
    """That each candidate's quality is better than of all on the front that cost no more, [N]."""
    mine = costs[outlook.candidates]
    cheaper = (outlook.front.costs[None] <= mine[:, None]).all(axis=2)
    best = np.where(cheaper, outlook.front.quality, np.inf).min(axis=1, initial=np.inf)
    return np.asarray(ndtr((np.log(best) - mean) / sd))


def _is_score(column: str) -> bool:
    found = find_column(column)
    return found is not None and found.measure.is_score
