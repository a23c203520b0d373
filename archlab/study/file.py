"""A study's YAML: the sections of every package in one file."""

from typing import Annotated

from pydantic import Field, model_validator

from archlab.errors import nearest, shown
from archlab.evaluation.measures import COSTS, MEASURES, OF_DEVICES, QUALITIES, device_columns, find_column
from archlab.latency.measurement import Measurement
from archlab.proxy.settings import ProxySettings
from archlab.space import Design, LadderStep
from archlab.space.settings import SpaceSettings
from archlab.study.settings import PLANS, Constraints, SearchSettings, Share, Strategy, TrialSettings

_NOT_OF_SURROGATE = {
    "reduction": "decides anew at every rung and stops no fixed share",
    "noise": "learns it from the trials",
    "repeats": "begins every architecture once (proxy.seeds trains each with several)",
}
_OF_PLANS = {"change": "leave_one_out and factorial", "resolution": "factorial"}


class StudyFile(SpaceSettings):
    """A whole YAML: the space, and where, for how long and by what its architectures are evaluated."""

    proxy: ProxySettings
    measure: tuple[Measurement, ...] = (Measurement(),)
    constraints: Constraints = Constraints()
    objectives: Annotated[tuple[str, ...], Field(min_length=1)] = ("quality", "latency_ms")
    search: SearchSettings = SearchSettings()
    trial: TrialSettings = TrialSettings()
    ladder: tuple[LadderStep, ...] = ()

    @property
    def devices(self) -> list[str]:
        """Names of the devices that are measured on; the first one's columns bear the measures' own names."""
        return [entry.name for entry in self.measure]

    @property
    def latency_columns(self) -> dict[str, Measurement]:
        """Columns of latencies, each with where it is measured: ``latency_ms`` for the first entry,
        ``latency_ms_<name>`` for every other."""
        entries = {entry.name: entry for entry in self.measure}
        return {column: entries[name] for column, name in device_columns("latency_ms", self.devices).items()}

    @property
    def limits(self) -> dict[str, float | Share]:
        """Every hard limit by column; shares of the baseline as they are written."""
        found: dict[str, float | Share] = {}
        for measure, device, limit, _ in self.constraints.each():
            columns = {name: column for column, name in device_columns(measure.name, self.devices).items()}
            found[columns[device or self.devices[0]] if measure.needs == "device" else measure.name] = limit
        return found

    @property
    def strategy(self) -> Strategy:
        """Unless one is given, ``surrogate`` where quality at rungs is traded for what is known before any training and
        nothing is asked for that it has not."""
        if self.search.strategy is not None:
            return self.search.strategy
        is_traded = len(self.objectives) > 1 and not self._scores_besides_quality
        is_free = is_traded and not self.search.differing(_NOT_OF_SURROGATE)
        return "surrogate" if is_free and len(self.proxy.rungs) > 1 else "tpe"

    @property
    def design(self) -> Design:
        """How the arms of its plan follow from the space; of a search, none do."""
        search = self.search
        return Design(strategy=self.strategy, change=search.change, resolution=search.resolution, ladder=self.ladder)

    @property
    def named_columns(self) -> list[str]:
        """Columns that objectives or limits name."""
        return list(dict.fromkeys([*self.objectives, *self.limits]))

    @model_validator(mode="after")
    def _sections_agree(self) -> "StudyFile":
        """A message begins with the place that it is about."""
        for index, name in enumerate(self.devices):
            if name in self.devices[:index]:
                raise ValueError(
                    f"measure.{index}.name: {shown(name)} is there twice; give each entry a name of its own"
                )
        self._check_objectives()
        self._check_device_limits()
        self._check_strategy()
        if (self.strategy == "ladder") != bool(self.ladder):
            raise ValueError("ladder: its steps and search.strategy ladder go together")
        return self

    def _check_strategy(self) -> None:
        search, scores = self.search, self._scores_besides_quality
        if self.strategy == "surrogate" and scores:
            raise ValueError(
                f"search.strategy: surrogate trades quality for what is known before training, and {scores[0]} is not; "
                "take tpe or nsga2, or another objective"
            )
        if self.strategy == "surrogate" and (others := search.differing(_NOT_OF_SURROGATE)):
            why = _NOT_OF_SURROGATE[others[0]]
            raise ValueError(f"search.{others[0]}: search.strategy surrogate {why}; leave it out, or take tpe or nsga2")
        if self.strategy not in PLANS and (others := search.differing(_OF_PLANS)):
            raise ValueError(
                f"search.{others[0]}: {self.strategy} is a search, and it is of plans: {_OF_PLANS[others[0]]}"
            )
        if search.stop.gain is not None and self.strategy != "surrogate":
            raise ValueError("search.stop.gain: only search.strategy surrogate expects a gain; take no_gain or hours")

    def _check_objectives(self) -> None:
        if not self.measure and "latency_ms" in self.objectives:
            raise ValueError("objectives: latency_ms (the default) needs an entry under measure; or name others")
        of_devices = [column for name in OF_DEVICES for column in device_columns(name, self.devices)]
        valid = ["quality", *COSTS, *of_devices, *self._scores]
        for index, objective in enumerate(self.objectives):
            if objective not in valid:
                raise ValueError(f"objectives.{index}: no {shown(objective)}{nearest(objective, valid)}")
            self._check_score(f"objectives.{index}", objective)
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives: one is there twice: {list(self.objectives)}")
        if "quality" not in self.objectives:
            raise ValueError("objectives: quality must be one of them")

    @property
    def _scores(self) -> list[str]:
        """Columns of the scores that a training comes to, as far as the settings tell."""
        drawn = [name for name in QUALITIES if MEASURES[name].needs == "images"]
        steps = [steps for steps in self.proxy.score_steps if steps != self.proxy.sampling_steps]
        quarters = [f"val_loss_q{quarter}" for quarter in (1, 2, 3, 4)]
        return [*QUALITIES, *quarters, *(f"{name}_{number}_steps" for number in steps for name in drawn)]

    @property
    def _scores_besides_quality(self) -> list[str]:
        return [name for name in self.objectives if name != "quality" and name in self._scores]

    def _check_score(self, place: str, column: str) -> None:
        found = find_column(column)
        if found and found.measure.name == "clip_score" and self.proxy.clip is None:
            raise ValueError(f"{place}: {column} needs proxy.clip, a transformers folder with CLIP")

    def _check_device_limits(self) -> None:
        limited: set[tuple[str, str]] = set()
        for measure, device, _, index in self.constraints.each():
            self._check_score(f"constraints.{measure.name}", measure.name)
            if measure.needs != "device":
                continue
            if not self.devices:
                raise ValueError(f"constraints.{measure.name}: needs an entry under measure")
            name = self.devices[0] if device is None else device
            place = f"constraints.{measure.name}.{index}.device"
            if name not in self.devices:
                raise ValueError(f"{place}: no {shown(name)} under measure{nearest(name, self.devices)}")
            if (measure.name, name) in limited:
                raise ValueError(f"{place}: a second limit on {shown(name)}")
            limited.add((measure.name, name))
