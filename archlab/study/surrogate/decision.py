"""One choice of a multi-fidelity search.

A model that takes rungs to agree trains nothing to the end that looks bad at a lower one, and so never learns where it
is wrong. A candidate's worth is therefore what two models say of it, each as likely as it is taken to be: one is given
all rungs, the other the last alone, for whom the lower ones say nothing. Now and then the latter decides alone.
"""

import numpy as np

from archlab.study.surrogate.gaussian_process import Floats
from archlab.study.surrogate.history import Choice
from archlab.study.surrogate.outlook import Outlook, mixed
from archlab.study.surrogate.worth import worth_a_step


def decide(outlook: Outlook, *, ignores_rungs: bool = False) -> Choice:
    """What is worth most a step; what an hour is expected to bring is left open.

    Args:
        ignores_rungs: whether the model that is given the last rung alone decides.
    """
    worth = _worth(outlook, ignores_rungs)
    best = int(np.argmax(worth))
    gain, now = float(np.max(outlook.gains)), outlook.hypervolume
    return Choice(
        trial=outlook.begun[outlook.paused[best]].trial if best < len(outlook.paused) else None,
        values=outlook.architectures[outlook.candidates[best]].values,
        until=outlook.rungs[outlook.upcoming[best]],
        gain=gain / now if now else None,
        gain_a_step=float(worth[best]) / now if now else None,
    )


def _worth(outlook: Outlook, ignores_rungs: bool) -> Floats:
    """Expected improvement a step of training, by candidate."""
    ends, starts = np.array(outlook.rungs, dtype=float), np.array([0.0, *outlook.rungs[:-1]])
    upcoming, model = outlook.upcoming, outlook.quality
    at_the_end = outlook.gains_at_the_end / (ends[-1] - starts[upcoming])
    if ignores_rungs:
        return np.asarray(at_the_end)
    by_rungs = worth_a_step(
        model.process,
        model.inputs[outlook.candidates].at(model.last - upcoming),
        (ends - starts)[upcoming],
        ends[-1] - ends[upcoming],
        outlook.improvement,
    )
    return mixed(by_rungs, at_the_end)
