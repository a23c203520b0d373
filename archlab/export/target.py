"""The target as files: TFLite, Core ML, diffusers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from archlab.architecture import ArchitectureError, UNetSpec
from archlab.convert import (
    FlatInputs,
    can_run_coreml,
    example_inputs,
    parity_of,
    run_coreml,
    run_tflite,
    to_coreml,
    to_tflite,
    torch_output,
)
from archlab.errors import MissingExtra, RunFailed
from archlab.unet import build, to_diffusers

WEIGHTS_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Converted:
    """The target for one runtime: a file or a folder.

    Attributes:
        parity_max_abs, parity_max_relative: largest difference from torch's output, and as a share of its largest
            value; None where the file cannot be run here.
        note: why there is no file or no parity.
    """

    runtime: str
    file: str | None
    parity_max_abs: float | None = None
    parity_max_relative: float | None = None
    note: str | None = None


def convert_target(
    spec: UNetSpec, folder: Path, runtimes: Iterable[str], say: Callable[[str], object]
) -> list[Converted]:
    """Write the target, with the same random weights for each of these `RUNTIMES` that can have it, into ``folder``.

    ``say`` hears one line before each slow step.
    """
    torch.manual_seed(WEIGHTS_SEED)
    network, inputs = FlatInputs(build(spec)).eval(), example_inputs(spec)
    return [RUNTIMES[runtime](network, inputs, folder, say) for runtime in runtimes]


def _convert_tflite(
    network: FlatInputs, inputs: Mapping[str, Tensor], folder: Path, say: Callable[[str], object]
) -> Converted:
    path = folder / "target.tflite"
    say("converting the target to TFLite")
    try:
        to_tflite(network, inputs, path)
        parity = parity_of(torch_output(network, inputs), run_tflite(path, inputs))
    except (MissingExtra, RunFailed) as error:
        path.unlink(missing_ok=True)
        return Converted(runtime="TFLite", file=None, note=str(error))
    return Converted(
        runtime="TFLite",
        file=path.name,
        parity_max_abs=parity.max_abs,
        parity_max_relative=parity.max_relative,
    )


def _convert_coreml(
    network: FlatInputs, inputs: Mapping[str, Tensor], folder: Path, say: Callable[[str], object]
) -> Converted:
    path = folder / "target.mlpackage"
    say("converting the target to Core ML")
    try:
        to_coreml(network, inputs, path)
    except (MissingExtra, RunFailed) as error:
        return Converted(runtime="Core ML", file=None, note=str(error))
    if not can_run_coreml():
        note = "converted and not run: running Core ML takes macOS"
        return Converted(runtime="Core ML", file=path.name, note=note)
    parity = parity_of(torch_output(network, inputs), run_coreml(path, inputs))
    return Converted(
        runtime="Core ML",
        file=path.name,
        parity_max_abs=parity.max_abs,
        parity_max_relative=parity.max_relative,
        note="computed in float16",
    )


def _convert_diffusers(
    network: FlatInputs, inputs: Mapping[str, Tensor], folder: Path, say: Callable[[str], object]
) -> Converted:
    path = folder / "diffusers"
    say("writing the target for diffusers")
    try:
        model = to_diffusers(network.unet, path)
    except ArchitectureError as error:
        return Converted(runtime="diffusers", file=None, note=f"{error}.")
    added = {name: inputs[name] for name in ("text_embeds", "time_ids") if name in inputs}
    with torch.no_grad():
        output = model(
            *(inputs[name] for name in ("sample", "timestep", "context")),
            timestep_cond=inputs.get("guidance"),
            added_cond_kwargs=added,
        ).sample
    parity = parity_of(torch_output(network, inputs), output.numpy())
    return Converted(
        runtime="diffusers",
        file=path.name,
        parity_max_abs=parity.max_abs,
        parity_max_relative=parity.max_relative,
    )


Convert = Callable[[FlatInputs, Mapping[str, Tensor], Path, Callable[[str], object]], Converted]

RUNTIMES: dict[str, Convert] = {
    "TFLite": _convert_tflite,
    "Core ML": _convert_coreml,
    "diffusers": _convert_diffusers,
}
