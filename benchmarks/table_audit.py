"""How far early scores order the architectures of a table as a long training does. Prints one JSON line.

Kendall's τ-b of every rung, of params and MACs, and of scores at initialisation with the validation loss after the last
rung, the mean of the table's seeds, over all architectures; `archlab.analysis.audit` says how. ``other_seeds`` is the
same with the long training of the seeds that the score is not of. ``gain`` of a quarter of the process is how much
higher its τ is than that of the whole loss at this rung, with the paired interval, the other seeds' training the truth.

``python benchmarks/table_audit.py --out reports/proxy_audit``
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from search import read_table

from archlab.analysis.audit.agreement import Agreement, Floats, kendall_tau
from archlab.evaluation.measures import COSTS, ZERO_COST
from archlab.study.definition import load_definition

SPACE = Path(__file__).with_name("shapes_space.yaml")
_QUARTERS = tuple(f"val_loss_q{number}" for number in range(1, 5))
_RESAMPLES = 500  # of a paired difference


def main() -> None:
    """Print the audit of one table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=SPACE, help="NAME_space.yaml; NAME_table.csv is beside it")
    parser.add_argument("--out", type=Path, help="a folder for NAME.csv and NAME.png")
    wanted = parser.parse_args()
    rungs = load_definition(wanted.space).settings.proxy.rungs
    by_seed = seeds_of(read_table(wanted.space))
    audited = pd.DataFrame(audit(by_seed, rungs))
    if wanted.out:
        name = wanted.space.stem.replace("_space", "_table")
        audited.round(4).to_csv(wanted.out / f"{name}.csv", index=False)
        draw(audited, by_seed, rungs, wanted.out / f"{name}.png")
    title = f"agreement with {rungs[-1]} steps of training, {len(by_seed[0])} architectures, {len(by_seed)} seeds"
    scores = {row["score"]: _numbers(row.drop("score")) for _, row in audited.iterrows()}
    print(json.dumps({"benchmark": title, "unit": "Kendall's tau-b", "kendall_tau": scores}))


def seeds_of(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of every seed that all architectures have, in the same order."""
    names = table["architecture"].unique()
    by_seed = [rows.set_index("architecture").reindex(names) for _, rows in table.groupby("seed")]
    return [rows for rows in by_seed if not rows["macs_g"].hasnans]


def audit(by_seed: list[pd.DataFrame], rungs: tuple[int, ...]) -> Iterator[dict[str, str | float]]:
    """One row a score: τ, τ with other seeds' long training, and what a quarter gains over the whole loss."""
    end = _values(by_seed, f"val_loss_{rungs[-1]}")
    truth = end.mean(axis=0)
    others = (end.sum(axis=0) - end) / (len(end) - 1) if len(end) > 1 else np.full_like(end, np.nan)
    for name in (column for column in (*COSTS, *ZERO_COST) if column in by_seed[0]):
        yield {"score": name, **_cells("tau", kendall_tau(-_values(by_seed[:1], name), truth))}
    for rung in rungs:
        whole = _values(by_seed, f"val_loss_{rung}")
        for metric in ("val_loss", *_QUARTERS):
            if f"{metric}_{rung}" not in by_seed[0]:
                continue
            scores = _values(by_seed, f"{metric}_{rung}")
            row = {"score": f"{metric}@{rung}", **_cells("tau", kendall_tau(scores, truth))}
            if len(end) > 1:
                row |= _cells("other_seeds", kendall_tau(scores, others))
                row |= _cells("gain", _gain(scores, whole, others)) if metric != "val_loss" else {}
            yield row


def _gain(scores: Floats, whole: Floats, truth: Floats) -> Agreement:
    """How much better ``scores`` agree than ``whole``, all [S, N]: the same resamples of architectures for both."""
    source, number = np.random.default_rng(0), scores.shape[1]

    def gain(chosen: np.ndarray) -> float:
        differences = [
            kendalltau(one[chosen], true[chosen]).statistic - kendalltau(other[chosen], true[chosen]).statistic
            for one, other, true in zip(scores, whole, truth, strict=True)
        ]
        return float(np.mean(differences))

    found = [gain(source.integers(number, size=number)) for _ in range(_RESAMPLES)]
    return Agreement(gain(np.arange(number)), *np.quantile(found, (0.025, 0.975)).tolist())


def draw(audited: pd.DataFrame, by_seed: list[pd.DataFrame], rungs: tuple[int, ...], path: Path) -> None:
    """τ with its interval by score, and the first rung against the last."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    whole = audited["score"].str.startswith("val_loss@") | ~audited["score"].str.contains("@")
    shown = audited[whole & (audited["score"] != f"val_loss@{rungs[-1]}")].iloc[::-1]
    spans = (shown["tau"] - shown["tau_low"], shown["tau_high"] - shown["tau"])
    left.errorbar(shown["tau"], shown["score"], xerr=spans, fmt="o", color="#1f5f8b", capsize=3)
    left.set(xlabel="Kendall's τ with the long training, 95 % interval")
    left.grid(axis="x", alpha=0.3)
    end = _values(by_seed, f"val_loss_{rungs[-1]}").mean(axis=0)
    for rung in rungs[:-1]:
        right.scatter(_values(by_seed, f"val_loss_{rung}")[0], end, s=12, alpha=0.7, label=f"{rung} steps, one seed")
    right.set(xlabel="validation loss at the rung", ylabel=f"after {rungs[-1]} steps, mean of seeds", xscale="log")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def _values(by_seed: list[pd.DataFrame], column: str) -> Floats:
    """[S, N]."""
    values: Floats = np.array([rows[column] for rows in by_seed], dtype=float)
    return values


def _cells(name: str, agreement: Agreement) -> dict[str, float]:
    return {name: agreement.value, f"{name}_low": agreement.low, f"{name}_high": agreement.high}


def _numbers(row: pd.Series) -> dict[str, float]:
    return {str(name): round(float(value), 3) for name, value in row.dropna().items()}


if __name__ == "__main__":
    main()
