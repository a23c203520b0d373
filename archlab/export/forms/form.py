"""What a form is, and what is known of a file that one has written."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import ConfigDict
from torch import Tensor

from archlab.convert import Parity
from archlab.evaluation.fact import STRICT, Whole
from archlab.export.networks import Network, Networks

Say = Callable[[str], object]  # hears one line before each slow step
Run = Callable[[Mapping[str, Tensor]], Sequence[Tensor]]  # a network in a runtime: by its module's arguments' names


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or an output of a file."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    shape: tuple[Whole, ...]
    dtype: str


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """One network for one runtime in one precision: a file or a folder.

    Attributes:
        component: the network's role: ``unet``, ``text_encoder``, ``decoder``, ``controlled_unet``, ``adapter`` ….
        runtime: as people call it: ``TFLite``.
        file: its path in the export; None where there is none, and ``note`` says why.
        size_mb: in 10⁶ bytes.
        parity_max_abs, parity_max_relative: largest difference from torch's output, and as a share of its largest
            value; None where the file cannot be run here.
        unaccelerated: operators that the runtime's accelerated kernels leave out; None where that is not known.
        note: what else is to be known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    component: str
    runtime: str
    precision: str
    file: str | None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    size_mb: float | None = None
    parity_max_abs: float | None = None
    parity_max_relative: float | None = None
    unaccelerated: tuple[str, ...] | None = None
    note: str | None = None


class Form(Protocol):
    """Writes networks for one runtime.

    Attributes:
        runtime: as people call it.
        precisions: that it has. Random weights are written in the first unless others are asked for.
        default_precisions: in which a model is.
        runs_itself: whether `runs` runs files by this runtime, so that their times say something of it.
        trained_only: whether random weights are written only where this form was asked for.
    """

    runtime: str
    precisions: tuple[str, ...]
    default_precisions: tuple[str, ...]
    trained_only: bool
    runs_itself: bool

    def check(self) -> None:
        """Whether it can be written here.

        Raises:
            MissingExtra: a package is not installed.
        """

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        """Write into ``folder`` what this form has of these networks."""

    def runs(self, networks: Networks, folder: Path, files: Sequence[ExportedFile]) -> Mapping[str, Run]:
        """What `write` wrote, loaded: by the network's name, a function with the inputs and the output of its own
        module. Empty where that cannot be run here."""

    def remarks(self, networks: Networks) -> Sequence[str]:
        """Sentences that whoever draws with the files of a model must know; each without its full stop."""
        return ()


def not_written(form: Form, network: Network, precision: str, why: object) -> ExportedFile:
    """The fact of a file that there is not."""
    return ExportedFile(component=network.name, runtime=form.runtime, precision=precision, file=None, note=str(why))


def compared(file: ExportedFile, parity: Parity) -> ExportedFile:
    """The fact of the file with how far its output is from torch's."""
    if not math.isfinite(parity.max_abs):
        said = [note for note in (file.note, "it needs more precision: its output is infinite or NaN") if note]
        return replace(file, note="; ".join(said))
    return replace(file, parity_max_abs=parity.max_abs, parity_max_relative=parity.max_relative)


def size_mb(path: Path) -> float:
    """Of a file, or of all files of a folder: in 10⁶ bytes."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def ports_of(network: Network, integers: str = "int32") -> tuple[Port, ...]:
    """The inputs as the network's own module names and shapes them."""
    return tuple(
        Port(name=name, shape=tuple(tensor.shape), dtype="float32" if tensor.is_floating_point() else integers)
        for name, tensor in network.inputs.items()
    )
