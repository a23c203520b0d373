"""What a distillation does, one phase after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from archlab.errors import BadInput
from archlab.model.distill.settings import DistillSettings
from archlab.section import Section
from archlab.training.settings import DistributionMatching, GuidanceDistillation, ProgressiveDistillation

_ALONE = 4  # times as many updates for a method of one phase
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
    """

    name: str
    lesson: str
    settings: Section
    updates: int
    steps: int | None


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
    folding = GuidanceDistillation(guidance=guidance, most_guidance=settings.most_guidance)
    if beginning.predicts_noise or not beginning.is_folded:
        until = "" if settings.most_guidance is None else f" to {settings.most_guidance:g} as an input"
        yield Phase(f"guidance {guidance:g}{until}", "guidance", folding, settings.updates, None)
    match settings.method:
        case "progressive":
            before = first = (
                beginning.teacher_steps or beginning.steps or _at_least(settings.steps, settings.from_steps)
            )
            for steps in halvings(first, settings.steps):
                lesson = ProgressiveDistillation(steps=steps, **folding.model_dump())
                updates = settings.updates * (_LAST if steps <= 2 else 1)
                yield Phase(f"{before} → {steps} steps", "progressive", lesson, updates, steps)
                before = steps
        case "ufogen":
            yield Phase("ufogen", "ufogen", settings.ufogen, _ALONE * settings.updates, settings.steps)
        case "dmd2":
            matching = DistributionMatching(steps=settings.steps, guidance=guidance, **dict(settings.dmd2))
            yield Phase("dmd2", "dmd2", matching, _ALONE * settings.updates, settings.steps)


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


def _at_least(steps: int, least: int) -> int:
    """``steps`` doubled, at least once, until they are at least ``least``."""
    steps *= 2
    while steps < least:
        steps *= 2
    return steps
