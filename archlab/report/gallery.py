"""Models side by side: what each drew of equal prompts, noise and steps, with what a picture costs beneath."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from archlab.evaluation.latency import AnyLatency, Confirmed, Latency
from archlab.files import write_text
from archlab.model.pictures import Drawn
from archlab.report.page import render_page
from archlab.report.table import text

_SMALL = 192  # pixels; smaller pictures are enlarged with every pixel a crisp square
_ENLARGED, _LEAST, _MOST = 20, 160, 320  # a small picture's factor; CSS pixels that any picture takes


class Column(NamedTuple):
    """A model on the page.

    Attributes:
        latency: of one pass; None where it was not measured.
        params_m, macs_g: of the UNet; MACs of one pass.
    """

    drawn: Drawn
    latency: AnyLatency | None
    params_m: float
    macs_g: float


class Picture(NamedTuple):
    """A picture as the page has it."""

    source: str
    label: str


class PromptRow(NamedTuple):
    """A prompt with its pictures: by seed, of each model one."""

    prompt: str
    seeds: list[tuple[int, list[Picture]]]


def write_gallery(columns: Sequence[Column], title: str, folder: Path) -> Path:
    """Write ``index.html``, one file that holds its pictures, whole or not at all.

    Args:
        columns: models that drew the same prompts with the same seeds.

    Returns:
        Its path.
    """
    sizes = [column.drawn.image_size for column in columns]
    page = render_page(
        "gallery.html.j2",
        {},
        name=title,
        lead=_lead(columns),
        warnings=_warnings(columns),
        models=_models_table(columns),
        captions=[(column.drawn.model, cost_line(column)) for column in columns],
        rows=_rows(columns),
        width=max(min(max(sizes), 2 * _MOST), min(max(_ENLARGED * max(sizes), _LEAST), _MOST)),
        pixelated=min(sizes) < _SMALL,
        remarks=_by_value((line, column.drawn.model) for column in columns for line in column.drawn.remarks),
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


def cost_line(column: Column) -> str:
    """``100 passes × 7.21 ms = 721 ms``; what is noisy or estimated says so."""
    passes = column.drawn.passes
    counted = f"{passes:,} pass{'es' if passes > 1 else ''}"
    if column.latency is None:
        return counted
    doubt = " (noisy)" if column.latency.noisy else "" if column.latency.kind == "measured" else " (estimated)"
    each_ms = column.latency.median_ms
    return f"{counted} × {each_ms:.3g} ms = {_duration(passes * each_ms)}{doubt}"


def _lead(columns: Sequence[Column]) -> str:
    pictures = columns[0].drawn.pictures
    prompts, seeds = len({prompt for prompt, _ in pictures}), len({seed for _, seed in pictures})
    steps = {column.drawn.steps for column in columns}
    noise = ", from the same noise" if len(_latents(columns)) == 1 else ""
    same = f", {_counted(steps.pop(), 'step')} each" if len(steps) == 1 else ""
    return (
        f"{_counted(len(columns), 'model')} drew {_counted(prompts, 'prompt')} with {_counted(seeds, 'seed')}{noise}"
        f"{same}. Beneath: passes of the UNet for a picture × latency of a pass = time of the UNet."
    )


def _warnings(columns: Sequence[Column]) -> list[str]:
    """What a reader must know before comparing."""
    warnings = []
    if len(shapes := _latents(columns)) > 1:
        warnings.append(
            f"The noise is not equal: latents have different shapes ({_listed(shapes)}). Compare how well the models "
            "draw, not picture with picture."
        )
    for words, field in (("Steps differ", "steps"), ("Guidance differs", "guidance")):
        values = _by_value((f"{getattr(column.drawn, field):g}", column.drawn.model) for column in columns)
        if len(values) > 1:
            warnings.append(f"{words}: {_listed(values)}.")
    for drawn, latency, *_ in columns:
        if isinstance(latency, Latency | Confirmed) and latency.noisy:
            warnings.append(f"The latency of {drawn.model} is noisy: {latency.noise}")
    return warnings


def _latents(columns: Sequence[Column]) -> dict[str, list[str]]:
    """Models by the shape of their latents: only where it is one, noise is equal."""
    return _by_value(("×".join(map(str, column.drawn.latent)), column.drawn.model) for column in columns)


def _by_value(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    models: dict[str, list[str]] = {}
    for value, model in pairs:
        models.setdefault(value, []).append(model)
    return models


def _listed(by_value: Mapping[str, Sequence[str]]) -> str:
    """``50 of a and b, 8 of c``"""
    return ", ".join(f"{value} of {' and '.join(models)}" for value, models in by_value.items())


def _models_table(columns: Sequence[Column]) -> pd.DataFrame:
    rows = []
    for drawn, latency, params_m, macs_g in columns:
        rows.append(
            {
                "model": drawn.model,
                "params (M)": params_m,
                "MACs (G)": macs_g,
                "steps": drawn.steps,
                "guidance": drawn.guidance,
                "passes": drawn.passes,
                "latency (ms)": None if latency is None else f"{text(latency.median_ms)}{' (noisy)' * latency.noisy}",
                "how": "" if latency is None else _how(latency),
                "scheduler": drawn.scheduler,
                "picture": f"{drawn.image_size}×{drawn.image_size}",
                "architecture": drawn.architecture,
            }
        )
    table = pd.DataFrame(rows)
    return table.drop(columns=["latency (ms)", "how"]) if all(row["latency (ms)"] is None for row in rows) else table


def _how(latency: AnyLatency) -> str:
    """``measured: tflite, 1 thread, fp32``"""
    known = latency.provenance
    threads = known.get("threads")
    parts = [known.get("device"), threads and _counted(threads, "thread"), known.get("precision")]
    return f"{latency.kind}: {', '.join(str(part) for part in parts if part)}"


def _rows(columns: Sequence[Column]) -> list[PromptRow]:
    by_prompt: dict[str, list[int]] = {}
    for prompt, seed in columns[0].drawn.pictures:
        by_prompt.setdefault(prompt, []).append(seed)
    return [
        PromptRow(prompt, [(seed, [_picture(column.drawn, prompt, seed) for column in columns]) for seed in seeds])
        for prompt, seeds in by_prompt.items()
    ]


def _picture(drawn: Drawn, prompt: str, seed: int) -> Picture:
    content = base64.b64encode(drawn.pictures[prompt, seed].read_bytes()).decode()
    return Picture(f"data:image/png;base64,{content}", f"{drawn.model}: {prompt}, seed {seed}")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def _duration(milliseconds: float) -> str:
    """Three significant digits: ``0.721 ms``, ``72.1 ms``, ``7.21 s``, ``2.4 min``."""
    if milliseconds < 1000:
        return f"{milliseconds:.3g} ms"
    return f"{milliseconds / 1000:.3g} s" if milliseconds < 90_000 else f"{milliseconds / 60_000:.3g} min"
