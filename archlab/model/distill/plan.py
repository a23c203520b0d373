"""What a distillation does, one phase after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archlab.errors import BadInput
from archlab.model.distill.settings import DistillSettings
from archlab.section import Section
from archlab.training.settings import (
    AdversarialDistillation,
    DistributionMatching,
    GuidanceDistillation,
    ProgressiveDistillation,
)

_LAST = 2  # times as many for the halvings to 2 steps and to 1, which are the hardest


@dataclass(frozen=True)
class Phase:
    """One lesson.

    Attributes:
        name: in words.
        lesson: its name.
        settings: its own.
        updates: steps of the optimiser.
        steps: in how many the student draws afterwards; None: in as many as it is asked to.
        learning_rate: at its beginning.
    """

    name: str
    lesson: str
    settings: Section
    updates: int
    steps: int | None
    learning_rate: float


@dataclass(frozen=True)
class Beginning:
    """What a distillation begins with.

    Attributes:
        predicts_noise: in few steps only a network of v or of the straight path's direction can draw.
        is_folded: it has one pass a step.
        steps: in which it draws and in no others; None: in as many as it is asked to.
        teacher_steps: likewise, of another teacher.
    """

    predicts_noise: bool
    is_folded: bool
    steps: int | None = None
    teacher_steps: int | None = None


def plan(settings: DistillSettings, beginning: Beginning, guidance: float) -> tuple[Phase, ...]:
    """The phases.

    Args:
        guidance: that is folded in.

    Raises:
        BadInput: the model's own steps cannot be halved to those that are asked for.
    """
    return tuple(_phases(settings, beginning, guidance))


def _phases(settings: DistillSettings, beginning: Beginning, guidance: float) -> Iterator[Phase]:
    rate = settings.learning_rate
    folding = GuidanceDistillation(guidance=guidance, most_guidance=settings.most_guidance)
    if beginning.predicts_noise or not beginning.is_folded:
        until = "" if settings.most_guidance is None else f" to {settings.most_guidance:g} as an input"
        yield Phase(f"guidance {guidance:g}{until}", "guidance", folding, settings.updates, None, rate)
    before = _first(settings, beginning)
    is_ready = settings.method != "progressive" and before == settings.steps
    for steps in [] if is_ready else halvings(before, settings.steps):
        lesson = ProgressiveDistillation(steps=steps, **folding.model_dump())
        updates = settings.updates * (_LAST if steps <= 2 else 1)
        yield Phase(f"{before} → {steps} steps", "progressive", lesson, updates, steps, rate)
        before = steps
    if settings.method == "ufogen":
        rate *= settings.ufogen.learning_rate_share
        adversarial = AdversarialDistillation(**_with_rate(settings.ufogen, "discriminator_learning_rate", rate))
        yield Phase("ufogen", "ufogen", adversarial, settings.updates, settings.steps, rate)
    if settings.method == "dmd2":
        rate *= settings.dmd2.learning_rate_share
        known = _with_rate(settings.dmd2, "fake_learning_rate", rate)
        matching = DistributionMatching(steps=settings.steps, guidance=guidance, **known)
        yield Phase("dmd2", "dmd2", matching, settings.updates, settings.steps, rate)


def _first(settings: DistillSettings, beginning: Beginning) -> int:
    """How many steps the first halving halves."""
    if own := beginning.teacher_steps or beginning.steps:
        return own
    first = settings.steps * (2 if settings.method == "progressive" else 1)
    while first < settings.from_steps:
        first *= 2
    return first


def _with_rate(section: Section, key: str, rate: float) -> dict[str, Any]:
    """The section, with the generator's learning rate for the second network where it has none of its own."""
    return {key: rate, **section.model_dump(exclude_none=True)}


def halvings(first: int, last: int) -> list[int]:
    """``first`` halved until it is ``last``, without itself.

    Raises:
        BadInput: that cannot be.
    """
    steps = [first]
    while steps[-1] > last and steps[-1] % 2 == 0:
        steps.append(steps[-1] // 2)
    if steps[-1] != last or len(steps) == 1:
        raise BadInput(f"steps: {first} cannot be halved to {last}; give half of it, or half of that, and so on")
    return steps[1:]
