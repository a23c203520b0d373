"""``archlab latency ARCH --device D``"""

import click

from archlab.cli.architectures import find_architecture
from archlab.cli.listing import format_option, print_facts


@click.command()
@click.argument("architecture")
@click.option("--device", default="tflite", show_default=True, help="See: archlab devices")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--precision", default="fp32", show_default=True)
@click.option("--width", type=float, default=1.0, show_default=True, help="Scale all channels by this factor.")
@click.option("--sample-size", type=int, help="Side of the latent.  [default: the architecture's]")
@click.option("--min-runs", type=click.IntRange(min=2), default=20, show_default=True)
@click.option("--min-seconds", type=float, default=1.0, show_default=True)
@click.option("--fresh", is_flag=True, help="Measure even if this very measurement is in the cache.")
@format_option
def latency(
    architecture: str,
    device: str,
    threads: int,
    precision: str,
    width: float,
    sample_size: int | None,
    min_runs: int,
    min_seconds: float,
    fresh: bool,
    form: str,
) -> None:
    """Measure one architecture on a device, with random weights: a preset, a YAML or study:trial."""
    from archlab.latency import measure

    spec = find_architecture(architecture).scaled(width=width, sample_size=sample_size)
    measured = measure(
        spec,
        device=device,
        threads=threads,
        precision=precision,
        min_runs=min_runs,
        min_seconds=min_seconds,
        use_cache=not fresh,
    ).to_dict()
    if form != "json":
        measured.pop("samples_ms")
        measured |= measured.pop("provenance")
    print_facts(measured, form)
