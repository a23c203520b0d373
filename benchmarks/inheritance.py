"""What inheriting a trained network's weights is worth: every knob, inherited against random, equally trained.

Trains a proxy of the baseline on digits, changes one knob at a time, and trains the changed proxy briefly from
inherited and from random weights on the same batches. Writes reports/inheritance and prints one JSON line. What its
tables already hold is not run again; delete them to begin anew.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from safetensors.torch import load_model, save_model
from torch import Tensor

from archlab.architecture import UNetSpec, preset
from archlab.files import atomic_path, write_text
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.proxy.training import examples, train
from archlab.scores.validation import ValidationLoss
from archlab.space import KNOBS, label
from archlab.unet import UNet, build, inherit
from archlab.unet.inheritance.feed_forward import NEURON_CRITERIA
from archlab.unet.inheritance.key_value import SHARINGS
from archlab.unet.inheritance.methods import Methods

REPORT = Path(__file__).parents[1] / "reports" / "inheritance"
PARENT_SEED, CALIBRATION_SEED, CALIBRATION_BATCHES = 100, 101, 8
Change = tuple[str, Any]
CHANGES: tuple[Change, ...] = (
    ("res_blocks", "1/1"),
    ("res_blocks", "2/3"),
    ("channels", (64, 96, 128)),
    ("channels", (64, 128, 320)),
    ("width", 0.5),
    ("width", 0.75),
    ("width", 1.5),
    ("transformers", "low_res"),
    ("transformers", "middle"),
    ("self_attention", "inner"),
    ("self_attention", "none"),
    ("cross_attention", "inner"),
    ("kv_sharing", "self"),
    ("kv_sharing", "all"),
    ("attention_normalizer", "relu"),
    ("attention_normalizer", "softmax->relu"),
    ("ff_ratio", 4),
    ("ff_ratio", 2),
    ("ff_ratio", 12),
    ("ff_activation", "swish"),
    ("ff_activation", "relu"),
    ("conv", "separable"),
    ("conv", "separable_expanded"),
    ("kv_heads", 2),
    ("kv_heads", 1),
    ("qk_norm", "rms"),
    ("positions", "rotary"),
    ("norm", "rms"),
    ("feed_forward", "plain"),
)


class Way(NamedTuple):
    """One of several ways to inherit the same change."""

    change: Change
    name: str
    methods: Methods = Methods()
    calibrated: bool = True


WAYS: tuple[Way, ...] = (
    *(Way(("kv_sharing", "all"), name, Methods(sharing=name)) for name in SHARINGS),
    Way(("kv_sharing", "all"), "nearest output"),
    Way(("kv_sharing", "all"), "nearest output, uncalibrated", calibrated=False),
    *(
        Way(("ff_ratio", ratio), f"{name}{', made up for' * make_up}", Methods(neurons=name, make_up=make_up))
        for ratio in (4, 2)
        for name in NEURON_CRITERIA
        for make_up in (False, True)
    ),
    Way(("width", 0.5), "uncalibrated", calibrated=False),
    Way(("width", 0.5), "calibrated", Methods(make_up=False)),
    Way(("width", 0.5), "calibrated, made up for"),
)


@dataclass(frozen=True)
class Budget:
    """How long the parent trains, how long its children, and with how many paired seeds."""

    parent_steps: int = 600
    steps: int = 30
    seeds: int = 2


class Bench:
    """A trained parent, kept in ``folder``, and what its children are trained on and judged by."""

    def __init__(self, budget: Budget, folder: Path) -> None:
        self.budget, self.folder = budget, folder
        self.baseline = preset("tiny")
        self.settings = ProxySettings(
            data="digits",
            scale=Scale(width=0.25, sample_size=8),
            rungs=(budget.steps,),
            batch_size=16,
            learning_rate=3e-3,
        )
        self.prepared = prepare_proxy(self.settings)
        self.score = ValidationLoss(self.prepared, self.settings)

    @cached_property
    def parent(self) -> UNet:
        spec, path = proxy_spec(self.baseline, self.settings), self.folder / "parent.safetensors"
        if not path.exists():
            longer = self.settings.model_copy(update={"rungs": (self.budget.parent_steps,)})
            trained = train(spec, self.prepared, longer, seed=PARENT_SEED, score=self.score)
            with atomic_path(path) as temporary:
                save_model(trained.unet, str(temporary))
        unet = build(spec).eval()
        load_model(unet, path)
        return unet

    @cached_property
    def calibration(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        found = examples(self.prepared, self.settings).first(CALIBRATION_BATCHES, CALIBRATION_SEED)
        return [(batch.noisy, batch.timesteps, batch.context) for batch in found]

    def child(self, change: Change, seed: int, methods: Methods | None = None, calibrated: bool = True) -> UNet:
        """The parent with one knob changed; what is new in it follows ``seed``."""
        torch.manual_seed(seed)
        return inherit(self.parent, self.spec(change), self.calibration if calibrated else None, methods=methods)

    def random(self, change: Change, seed: int) -> UNet:
        """The same architecture without a parent."""
        torch.manual_seed(seed)
        return build(self.spec(change))

    def spec(self, change: Change) -> UNetSpec:
        """The proxy of the baseline with one knob changed."""
        name, value = change
        return proxy_spec(KNOBS[name].apply(self.baseline, value), self.settings)

    def losses(self, unet: UNet, seed: int) -> tuple[float, float]:
        """Validation loss before and after the short training."""
        steps = self.budget.steps
        trained = train(unet.spec, self.prepared, self.settings, seed=seed, score=self.score, start=unet)
        return self.score(unet), trained.rungs[steps]


def compare_starts(bench: Bench, changes: Iterable[Change]) -> pd.DataFrame:
    """One row for each change and seed: validation loss from inherited and from random weights."""

    def measure(change: Change, seed: int) -> Mapping[str, Any]:
        child = bench.child(change, seed)
        inherited, random = bench.losses(child, seed), bench.losses(bench.random(change, seed), seed)
        assert child.inheritance is not None
        params = child.inheritance.params
        return {
            "inherited_at_0": inherited[0],
            "random_at_0": random[0],
            "inherited": inherited[1],
            "random": random[1],
            "new_share": params["new"] / sum(params.values()),
        }

    runs = list(product(changes, range(bench.budget.seeds)))
    return _table(
        bench.folder / "inheritance.csv",
        ("knob", "value", "seed"),
        [((change[0], str(label(change[1])), seed), partial(measure, change, seed)) for change, seed in runs],
    )


def compare_ways(bench: Bench, ways: Sequence[Way]) -> pd.DataFrame:
    """One row for each way: validation loss before and after the short training, and the layers' mean error."""

    def measure(way: Way) -> Mapping[str, Any]:
        child = bench.child(way.change, 0, way.methods, way.calibrated)
        assert child.inheritance is not None
        errors = [row.error for row in child.inheritance.rows if row.error is not None]
        at_start, trained = bench.losses(child, 0)
        return {"loss_at_0": at_start, "loss": trained, "layer_error": np.mean(errors) if errors else np.nan}

    return _table(
        bench.folder / "ways.csv",
        ("knob", "value", "way"),
        [((way.change[0], str(label(way.change[1])), way.name), partial(measure, way)) for way in ways],
    )


def _table(
    path: Path, key_columns: Sequence[str], rows: Iterable[tuple[tuple[Any, ...], Callable[[], Mapping[str, Any]]]]
) -> pd.DataFrame:
    """The table of all rows, kept as CSV after each; those that are there are not measured again."""
    table = pd.read_csv(path, dtype={"value": str}) if path.exists() else pd.DataFrame(columns=list(key_columns))
    for key, measure in rows:
        if not (table[list(key_columns)] == list(key)).all(axis=1).any():
            row = pd.DataFrame([{**dict(zip(key_columns, key, strict=True)), **measure()}])
            table = row if table.empty else pd.concat([table, row], ignore_index=True)
            write_text(path, table.to_csv(index=False, float_format="%.5f"))
    return table


def draw(table: pd.DataFrame, path: Path) -> None:
    """For every change the validation loss from inherited and from random weights, a line between them."""
    means = table.groupby(["knob", "value"], sort=False)[["inherited_at_0", "inherited", "random"]].mean().iloc[::-1]
    places = range(len(means))
    figure = Figure(figsize=(8, 0.3 * len(means) + 1.6), layout="constrained")
    axis = figure.subplots()
    axis.hlines(places, means["inherited"], means["random"], color="#c8c8c8", zorder=1)
    axis.scatter(means["random"], places, color="#b0563b", label="random weights, trained", zorder=2)
    axis.scatter(means["inherited"], places, color="#1f6f8b", label="inherited weights, trained as long", zorder=3)
    at_start = means["inherited_at_0"].clip(upper=1)
    axis.scatter(
        at_start, places, facecolor="none", edgecolor="#1f6f8b", label="inherited, untrained (at most 1)", zorder=2
    )
    axis.set_yticks(places, [f"{knob} {value}" for knob, value in means.index])
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xticks(ticks := [0.15, 0.2, 0.3, 0.5, 1], [f"{tick:g}" for tick in ticks])
    axis.set_xlabel("validation loss (lower is better)")
    axis.grid(axis="x", alpha=0.2)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)


def write_readme(table: pd.DataFrame, ways: pd.DataFrame, bench: Bench, path: Path) -> None:
    """What was done and what came out."""
    budget = bench.budget
    numbers = ["inherited_at_0", "random_at_0", "inherited", "random", "new_share"]
    means = table.groupby(["knob", "value"], sort=False)[numbers].mean()
    write_text(
        path,
        f"""# What inheriting is worth

`python benchmarks/inheritance.py` trains the `tiny` UNet's proxy (width × 0.25, 8×8 digits) for {budget.parent_steps}
steps, changes one knob at a time, and trains the changed proxy for {budget.steps} steps from inherited and from random
weights: the same batches, noise and seed, {budget.seeds} seeds. The numbers are validation losses of the averaged
weights, means over the seeds; the parent's is {bench.score(bench.parent):.3f}. Inherited weights are calibrated on
{CALIBRATION_BATCHES} training batches; `new_share` is the share of the child's weights that come from none of the
parent's.

## What is seen

{_findings(table, ways)}

![losses](inheritance.png)

{_markdown(means)}

## Where there are several ways

`layer_error`: what changed in a layer's output (uncalibrated: on white noise) over its norm, mean over the layers where
it was estimated. One seed: above, the inherited losses of two seeds differ by up to {_seed_spread(table):.4f}.

{_markdown(ways.set_index(["knob", "value"]))}
""",
    )


def _findings(table: pd.DataFrame, ways: pd.DataFrame) -> str:
    """The tables in sentences."""
    means = table.groupby(["knob", "value"], sort=False)[["inherited_at_0", "inherited", "random"]].mean()
    gain = (means["random"] / means["inherited"]).sort_values()
    untrained = int((means["inherited_at_0"] < means["random"]).sum())
    sharing = ways[ways["knob"] == "kv_sharing"].set_index("way")["loss_at_0"]
    lines = [
        f"Inherited is better in {int((table['inherited'] < table['random']).sum())} of {len(table)} paired runs.",
        f"Random weights lose {gain.iloc[0]:.2f} times (`{' '.join(gain.index[0])}`) to {gain.iloc[-1]:.2f} times "
        f"(`{' '.join(gain.index[-1])}`) as much, {np.exp(np.log(gain).mean()):.2f} times in the geometric mean.",
        f"For {untrained} of {len(means)} changes the inherited network is better before its first step than the "
        "random one after its last.",
    ]
    if risen := int((means["inherited"] > means["inherited_at_0"]).sum()):
        lines.append(
            f"For {risen} changes the short training leaves the inherited network worse than it started; the optimiser "
            "begins anew at the full learning rate."
        )
    if len(sharing) > 1:
        losses = ", ".join(f"{way} {loss:.4f}" for way, loss in sharing.items())
        lines.append(f"One projection for keys and values, loss before any training: {losses}.")
    return "\n".join(f"- {line}" for line in lines)


def _seed_spread(table: pd.DataFrame) -> float:
    losses = table.groupby(["knob", "value"])["inherited"]
    return float((losses.max() - losses.min()).max())


def _markdown(table: pd.DataFrame) -> str:
    rows = table.reset_index()
    cells = [
        ["" if pd.isna(cell) else f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in rows.to_numpy()
    ]
    lines = [list(rows.columns), ["---"] * rows.shape[1], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(bench: Bench, changes: Iterable[Change], ways: Sequence[Way]) -> dict[str, Any]:
    """All tables and files; what the JSON line says."""
    table = compare_starts(bench, changes)
    compared = compare_ways(bench, ways)
    draw(table, bench.folder / "inheritance.png")
    write_readme(table, compared, bench, bench.folder / "README.md")
    inherited, random = (float(np.exp(np.log(table[column]).mean())) for column in ("inherited", "random"))
    return {
        "benchmark": "one changed knob: inherited against random weights, equally trained",
        "ours": round(inherited, 4),
        "theirs": round(random, 4),
        "unit": "validation loss (geometric mean)",
        "ratio": round(random / inherited, 2),
        "better": int((table["inherited"] < table["random"]).sum()),
        "paired_runs": len(table),
        "steps": bench.budget.steps,
    }


def main() -> None:
    """Run everything at the default budget, on one thread."""
    torch.set_num_threads(1)
    print(json.dumps(run(Bench(Budget(), REPORT), CHANGES, WAYS)))


if __name__ == "__main__":
    main()
