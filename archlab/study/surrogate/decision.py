"""One choice of a multi-fidelity search."""

import numpy as np

from archlab.study.surrogate.forecast import forecast
from archlab.study.surrogate.history import Choice
from archlab.study.surrogate.outlook import Outlook
from archlab.study.surrogate.worth import worth_a_step


def decide(outlook: Outlook, steps_an_hour: float | None = None) -> Choice:
    """What is worth most a step.

    Args:
        steps_an_hour: of training; for what an hour is expected to bring.
    """
    ends, starts = np.array(outlook.rungs, dtype=float), np.array([0.0, *outlook.rungs[:-1]])
    upcoming, model = outlook.upcoming, outlook.quality
    worth = worth_a_step(
        model.process,
        model.inputs[outlook.candidates].at(model.last - upcoming),
        (ends - starts)[upcoming],
        ends[-1] - ends[upcoming],
        outlook.improvement,
    )
    best = int(np.argmax(worth))
    gain, now = float(np.max(outlook.gains)), outlook.hypervolume
    return Choice(
        trial=outlook.begun[outlook.paused[best]].trial if best < len(outlook.paused) else None,
        values=outlook.architectures[outlook.candidates[best]].values,
        until=outlook.rungs[upcoming[best]],
        gain=gain / now if now else None,
        gain_a_step=float(worth[best]) / now if now else None,
        gain_an_hour=None if steps_an_hour is None else forecast(outlook, steps_an_hour),
    )
