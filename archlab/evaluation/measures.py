"""The registry of measures: what a study's table has columns of, whichever package fills them.

A measure that a device decides has a column for each of a study's devices: of the first it has the measure's own name,
of every other the device's name behind it: ``latency_ms``, ``latency_ms_pixel8``. A score has one for every further
number of sampling steps: ``fid``, ``fid_8_steps``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["minimize", "maximize"]
Need = Literal["formula", "device", "training", "images", "initialisation"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One kind of number that is known of an architecture.

    Attributes:
        name: its column.
        heading: what tables call it, without its unit.
        noun: the start of a sentence about it; absent: its heading.
        unit: as it is written behind a number; empty for a number without a unit.
        direction: which way is better.
        needs: what has to be there before it is known: nothing but a formula, a measurement on a device, a trained
            network, images that it drew (the metric of that name in `archlab.scores.metrics`), or the network with
            random weights.
        attribute: of `archlab.evaluation.Latency`, for what a device decides.
        is_compared: whether its label says with how many images and which features: tables are headed by that.
    """

    name: str
    heading: str
    noun: str = ""
    unit: str = ""
    direction: Direction = "minimize"
    needs: Need
    attribute: str = ""
    is_compared: bool = False

    @property
    def is_cost(self) -> bool:
        """Whether it is what quality is paid with."""
        return self.needs in ("formula", "device")

    @property
    def is_score(self) -> bool:
        """Whether it is known after a training."""
        return self.needs in ("training", "images")

    @property
    def subject(self) -> str:
        """The start of a sentence about it: ``Peak memory``."""
        return self.noun or f"{self.heading[0].upper()}{self.heading[1:]}"

    @property
    def unit_in_a_sentence(self) -> str:
        """``M parameters`` for what is counted, ``ms`` for what is measured."""
        return f"{self.unit} {self.heading}" if self.needs == "formula" else self.unit


MEASURES = {
    measure.name: measure
    for measure in (
        Measure(name="params_m", heading="parameters", unit="M", needs="formula"),
        Measure(name="macs_g", heading="MACs", noun="Multiply-accumulates (MACs)", unit="G", needs="formula"),
        Measure(name="latency_ms", heading="latency", unit="ms", needs="device", attribute="median_ms"),
        Measure(name="latency_p90_ms", heading="latency p90", unit="ms", needs="device", attribute="p90_ms"),
        Measure(
            name="peak_memory_mb",
            heading="peak memory",
            unit="MB",
            needs="device",
            attribute="peak_memory_mb",
        ),
        Measure(name="model_mb", heading="model size", unit="MB", needs="device", attribute="model_mb"),
        Measure(name="quality", heading="quality", needs="training"),
        Measure(name="val_loss", heading="validation loss", needs="training"),
        Measure(name="fid", heading="fid", needs="images", is_compared=True),
        Measure(name="kid", heading="kid", needs="images", is_compared=True),
        Measure(name="precision", heading="precision", direction="maximize", needs="images", is_compared=True),
        Measure(name="recall", heading="recall", direction="maximize", needs="images", is_compared=True),
        Measure(name="adherence", heading="adherence", direction="maximize", needs="images"),
        Measure(name="clip_score", heading="CLIP score", direction="maximize", needs="images"),
        Measure(name="grad_norm", heading="gradient norm", direction="maximize", needs="initialisation"),
        Measure(name="synflow", heading="synflow", direction="maximize", needs="initialisation"),
        Measure(name="naswot", heading="naswot", direction="maximize", needs="initialisation"),
    )
}

COSTS = tuple(name for name, measure in MEASURES.items() if measure.needs == "formula")
QUALITIES = tuple(name for name, measure in MEASURES.items() if measure.is_score and name != "quality")
ZERO_COST = tuple(name for name, measure in MEASURES.items() if measure.needs == "initialisation")
OF_DEVICES = tuple(name for name, measure in MEASURES.items() if measure.needs == "device")


@dataclass(frozen=True)
class Column:
    """A column of a study's table that holds a measure.

    Attributes:
        device: the name that the study gives it; empty for its first device, and for what no device decides.
        steps: sampling steps, where they are not the study's own.
        quarter: of the noise schedule, 1 has the least noise; None for the whole.
    """

    name: str
    measure: Measure
    device: str = ""
    steps: int | None = None
    quarter: int | None = None


def column_suffixes(devices: Iterable[str]) -> dict[str, str]:
    """What the columns about each device end with: nothing for the first, ``_<name>`` for every other."""
    return {name: f"_{name}" if index else "" for index, name in enumerate(devices)}


def device_columns(measure: str, devices: Iterable[str]) -> dict[str, str]:
    """The measure's columns, each with the name of its device."""
    return {f"{measure}{suffix}": name for name, suffix in column_suffixes(devices).items()}


def find_column(name: str) -> Column | None:
    """What the column of that name holds; None for one that holds no measure."""
    if name in MEASURES:
        return Column(name, MEASURES[name])
    for of_device in OF_DEVICES:
        if name.startswith(f"{of_device}_"):
            return Column(name, MEASURES[of_device], device=name.removeprefix(f"{of_device}_"))
    if (part := re.fullmatch(r"(.+)_(\d+)_steps", name)) and (own := find_column(part[1])):
        return Column(name, own.measure, steps=int(part[2]), quarter=own.quarter)
    if part := re.fullmatch(r"val_loss_q([1-4])", name):
        return Column(name, MEASURES["val_loss"], quarter=int(part[1]))
    return None


def direction(column: str) -> Direction:
    """Which way the column is better; a column of no measure, the lower."""
    found = find_column(column)
    return "minimize" if found is None else found.measure.direction


def better(columns: Iterable[str]) -> str:
    """``lower is better``, ``higher is better``; of columns that differ, which ones are better when they are higher."""
    names = list(columns)
    higher = [name for name in names if direction(name) == "maximize"]
    if not higher or len(higher) == len(names):
        return "higher is better" if higher else "lower is better"
    return f"lower is better, of {' and '.join(higher)} higher"


def minimised(values: Mapping[str, float | None]) -> tuple[float, ...] | None:
    """The values as a point whose every coordinate is better when it is lower; None where one is not known.

    Args:
        values: by column.
    """
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(values):
        return None
    return tuple(value if direction(name) == "minimize" else -value for name, value in known.items())


def breaks(column: str, value: float, limit: float) -> bool:
    """Whether a value is beyond its limit: over it, or under it for what is better when it is higher."""
    return value > limit if direction(column) == "minimize" else value < limit


def beyond(columns: Iterable[str]) -> str:
    """Where a value is that breaks a limit on one of the columns: ``over`` it, ``under`` it, or ``beyond`` it where the
    columns differ in direction."""
    words = {"over" if direction(column) == "minimize" else "under" for column in columns} or {"over"}
    return words.pop() if len(words) == 1 else "beyond"


def excess(column: str, value: float, limit: float) -> float:
    """By which share of the limit the value is beyond it; 0 or less is within."""
    beyond = value / limit - 1
    return beyond if direction(column) == "minimize" else -beyond
