"""``archlab latency ARCH --device D``"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archlab.cli.architectures import find_architecture
from archlab.cli.execution import execution_options
from archlab.cli.options import format_option
from archlab.errors import BadInput
from archlab.files import writable_folder
from archlab.terminal.bar import bar
from archlab.terminal.listing import print_facts, print_listing

if TYPE_CHECKING:
    from archlab.architecture import UNetSpec


@click.command()
@click.argument("architecture")
@execution_options
@click.option("--width", type=float, default=1.0, show_default=True, help="Scale all channels by this factor.")
@click.option("--sample-size", type=int, help="Side of the latent.  [default: the architecture's]")
@click.option("--min-runs", type=click.IntRange(min=2), default=20, show_default=True)
@click.option("--min-seconds", type=float, default=1.0, show_default=True)
@click.option(
    "--quiet-timeout",
    "quiet_timeout_s",
    type=float,
    default=10.0,
    show_default=True,
    help="Seconds more for which undisturbed runs are waited for.",
)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Share the runs.")
@click.option("--timeout", "timeout_s", type=float, default=600.0, show_default=True, help="Seconds, of one process.")
@click.option("--fresh", is_flag=True, help="Measure even if this very measurement is in the cache.")
@click.option("--profile-operators", is_flag=True, help="List where the time goes instead (tflite, one thread).")
@click.option("--pipeline", is_flag=True, help="Price a whole image: text encoder, UNet steps, image decoder.")
@click.option("--steps", type=int, help="With --pipeline: of denoising.  [default: 8]")
@click.option(
    "--guidance/--no-guidance", default=None, help="With --pipeline: two UNet runs a step.  [default: guidance]"
)
@click.option("--decoder", help="With --pipeline: sd or small.  [default: sd]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="With --pipeline: the picture, without its ending.  [default: reports/pipeline/ARCH-DEVICE]",
)
@format_option
def latency(
    architecture: str,
    width: float,
    sample_size: int | None,
    fresh: bool,
    profile_operators: bool,
    pipeline: bool,
    steps: int | None,
    guidance: bool | None,
    decoder: str | None,
    out: Path | None,
    form: str,
    **settings: Any,
) -> None:
    """Measure one architecture on a device, with random weights: a preset, a YAML or study:trial."""
    from archlab.evaluation.fact import to_plain
    from archlab.latency import measure

    spec = find_architecture(architecture).scaled(width=width, sample_size=sample_size)
    image = {"steps": steps, "guidance": guidance, "decoder": decoder}
    image = {name: value for name, value in image.items() if value is not None}
    if not pipeline and (image or out):
        raise BadInput(f"--{next(iter(image), 'out')}: is for a whole image; add --pipeline")
    if pipeline:
        name = re.sub(r"[^\w.-]+", "-", f"{Path(architecture).stem}-{settings['device']}")
        stem = out or Path("reports/pipeline") / name
        _print_image(spec, {**image, **settings, "use_cache": not fresh}, stem, form)
        return
    if profile_operators:
        print_listing(_operators(spec, settings["device"], settings["precision"]), form)
        return
    with bar() as progress:
        found = measure(spec, **settings, progress=progress, use_cache=not fresh)
    measured = to_plain(found)
    print_facts(measured if form == "json" else _without_samples(measured), form)
    if found.noise is not None:
        _say_noisy(found.noise)


def _operators(spec: "UNetSpec", device: str, precision: str) -> list[dict[str, Any]]:
    from archlab.latency import profile_operators

    with bar() as progress:
        operators = profile_operators(spec, device, precision=precision, progress=progress)
    total_ms = sum(operator.ms for operator in operators)
    return [{**asdict(operator), "share": operator.ms / total_ms} for operator in operators]


def _print_image(spec: "UNetSpec", options: Mapping[str, Any], stem: Path, form: str) -> None:
    from archlab.latency.pipeline.image import measure_image
    from archlab.report.budget import write_budget

    writable_folder(stem.parent)
    with bar() as progress:
        image = measure_image(spec, **options, progress=progress)
    write_budget(image, stem)
    if form == "json":
        print_facts(image.to_dict(), form)
    else:
        print_listing(image.rows(), form, title=image.provenance["kind"])
    if noise := dict.fromkeys(part.latency.noise for part in image.parts if part.latency.noise is not None):
        _say_noisy("; ".join(noise))
    click.echo(f"{stem}.png {stem}.svg", err=True)


def _say_noisy(noise: str) -> None:
    click.secho(f"NOISY: do not trust these times: {noise}; measure again on a quiet device", err=True, fg="red")


def _without_samples(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics and provenance in one, without what is not known; first whether the times can be trusted."""
    apart = ("samples_ms", "bursts", "provenance")
    statistics = {name: measured[name] for name in ("noisy", "noise", *measured) if name not in apart}
    return {name: value for name, value in {**statistics, **measured["provenance"]}.items() if value is not None}
