"""The card: what an export is and how it was judged."""

from collections.abc import Iterable

from archlab.cost import count
from archlab.evaluation import AnyLatency, Confirmed, Estimate, Latency, ProxyResult
from archlab.export.forms.form import ExportedFile
from archlab.export.winner import Winner
from archlab.files import file_name


def card(winner: Winner, files: list[ExportedFile]) -> str:
    """Markdown for a person who finds the folder without knowing the study."""
    cost = count(winner.spec)
    latencies = winner.evaluation.latency
    spec, model = winner.spec, f"{file_name(winner.study)}-{winner.trial}"
    return "\n".join(
        [
            f"# {winner.study}, trial {winner.trial}",
            "",
            f"A text-to-image UNet that archlab searched, picked as {winner.why}.",
            "",
            "## The architecture",
            "",
            f"`architecture.yaml`, content hash `{spec.id}`: {cost.params_m:.1f} M params, {cost.macs_g:.2f} G MACs "
            f"a step at {spec.sample_size}×{spec.sample_size} latents, batch 1, {spec.context_length} tokens of "
            f"{spec.context_dim}.",
            "",
            *_table(["knob", "value"], winner.knobs.items()),
            "",
            "## How it was judged",
            "",
            *([_quality_line(winner.evaluation.proxy)] if winner.evaluation.proxy else []),
            *(_latency_line(name, facts) for name, facts in latencies.items()),
            *([] if latencies else ["- Latency: not measured."]),
            "",
            "## Files",
            "",
            "- `architecture.yaml`: the target. `archlab profile architecture.yaml` counts it.",
            "- `proxy.yaml`, `proxy.safetensors`: the trained proxy (EMA weights). `samples.png`: what it draws.",
            *(_file_line(file) for file in files),
            "",
            "The target's files have **random weights**: they are for timing and integration. To draw, train it and "
            "export the model; its folder has a program that draws:",
            "",
            "```bash",
            f"archlab train {winner.study}:{winner.trial} --out models/{model}",
            f"archlab export models/{model}",
            "```",
            "",
            "The trained proxy:",
            "",
            "```python",
            "from archlab.architecture import load",
            "from archlab.unet import build",
            "from safetensors.torch import load_file",
            "",
            'proxy = build(load("proxy.yaml"))',
            'proxy.load_state_dict(load_file("proxy.safetensors"))',
            "```",
            "",
        ]
    )


def _quality_line(proxy: ProxyResult) -> str:
    further = [f"val_loss {proxy.val_loss:.4f}"] if proxy.val_loss is not None else []
    further += [f"{proxy.fid_label} {proxy.fid:.2f}"] if proxy.fid is not None else []
    return (
        f"- Quality: {proxy.quality_label} {proxy.quality:.4f} (lower is better), of a proxy with "
        f"{proxy.params_m:.2f} M params after {proxy.steps} steps; {', '.join(further) or 'no other score'}. "
        "A proxy ranks architectures; it does not predict the target's scores."
    )


def _latency_line(name: str, latency: AnyLatency) -> str:
    """A device's latency and how it came about; an estimate never reads like a measurement."""
    how = latency.provenance
    if isinstance(latency, Estimate):
        return (
            f"- Latency on {name}: **estimated**, not measured: {latency.median_ms:.2f} ms "
            f"({latency.low_ms:.2f} to {latency.high_ms:.2f} ms) by a block table of {how['device']}."
        )
    where = ", ".join(str(how[key]) for key in ("runtime", "chip", "os") if how.get(key))
    threads = how.get("threads")
    settings = [f"{threads} thread{'s' if threads > 1 else ''}"] if threads else []
    settings += [str(how[key]) for key in ("precision", "compute") if how.get(key)]
    noisy = f" **It is noisy and may be far off**: {latency.noise}." if latency.noise else ""
    return (
        f"- Latency on {name}, {latency.kind}: median {latency.median_ms:.2f} ms "
        f"({latency.low_ms:.2f} to {latency.high_ms:.2f} ms, 95 % interval), {_how_often(latency)} on {how['device']}"
        f"{f' ({where})' if where else ''}{', ' if settings else ''}{', '.join(settings)}.{noisy}"
    )


def _how_often(latency: Latency | Confirmed) -> str:
    if isinstance(latency, Confirmed):
        return f"side by side with the baseline's in {latency.rounds} rounds"
    return f"p90 {latency.p90_ms:.2f} ms of {latency.runs} runs"


def _file_line(file: ExportedFile) -> str:
    if file.file is None:
        return f"- {file.runtime}: not written. {file.note}"
    if file.parity_max_abs is None:
        return f"- `{file.file}`: the target for {file.runtime}, {file.precision}; {file.note}."
    note = f", {file.note}" if file.note else ""
    return (
        f"- `{file.file}`: the target for {file.runtime}, {file.precision}; largest difference from torch "
        f"{file.parity_max_abs:.1e}, {file.parity_max_relative:.1e} of the output's scale{note}."
    )


def _table(header: list[str], rows: Iterable[tuple[str, object]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return lines + [f"| {name} | {value} |" for name, value in rows]
