"""Hyperparameters as they were fitted last, kept with the Optuna study: a resumed study goes on with the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from archlab.study.surrogate.gaussian_process import Floats, Hyperparameters, Inputs, Integers, fit

_GROWTH = 1.1  # of what was seen, before the next fit
_KEY = "surrogate:{}"


class Attributes(Protocol):
    """Where fits are kept: an Optuna study."""

    @property
    def user_attrs(self) -> Mapping[str, Any]: ...
    def set_user_attr(self, key: str, value: Any) -> None: ...


@dataclass
class InMemory:
    """Attributes of whoever only looks at a study."""

    user_attrs: dict[str, Any] = field(default_factory=dict)

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep it as long as this lives."""
        self.user_attrs[key] = value


class Fits:
    """The fits of a study, by what is modelled."""

    def __init__(self, study: Attributes) -> None:
        self.study = study

    def hyperparameters(self, name: str, groups: Integers, seen: Inputs, values: Floats, count: int) -> Hyperparameters:
        """Those of the last fit; fitted anew where a tenth more was seen since.

        Args:
            groups, seen, values: see `archlab.study.surrogate.gaussian_process.GaussianProcess`.
            count: how much was seen, of which ``seen`` may be a part.
        """
        key = _KEY.format(name)
        last: Mapping[str, Any] | None = self.study.user_attrs.get(key)
        known = (
            None if last is None else Hyperparameters(**last["fitted"] | {"lengths": tuple(last["fitted"]["lengths"])})
        )
        if last is not None and known is not None and count < _GROWTH * last["seen"]:
            return known
        found = fit(groups, seen, values, known)
        self.study.set_user_attr(key, {"seen": count, "fitted": asdict(found)})
        return found
