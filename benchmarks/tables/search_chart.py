"""Draw what `benchmarks/search.py --curves` wrote: regret by steps of training, median and quartiles of the seeds.

``python benchmarks/tables/search_chart.py reports/search/curves.csv reports/search/regret.png``
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

ENDED_AT = 0.02  # the regret at which a search ends
LOOKS = {
    "surrogate": ("archlab: surrogate", "#c0392b", "-"),
    "rungs_tpe": ("archlab: TPE with pruning", "#e59866", "--"),
    "rungs_nsga2": ("archlab: NSGA-II with pruning", "#b7950b", "--"),
    "plain_gp": ("Optuna: GPSampler", "#1f5f8b", "-"),
    "plain_tpe": ("Optuna: TPE", "#5dade2", "-"),
    "plain_nsga2": ("Optuna: NSGA-II", "#45b39d", "-"),
    "plain_random": ("Optuna: random", "#7f8c8d", "-"),
}


def main() -> None:
    """One line and its band for every search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", type=Path)
    parser.add_argument("chart", type=Path)
    wanted = parser.parse_args()
    curves = pd.read_csv(wanted.curves)
    steps = np.geomspace(curves["steps"].min(), curves["steps"].max(), 200)
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for name, (label, colour, line) in LOOKS.items():
        searches = [rows for _, rows in curves[curves["search"] == name].groupby("seed")]
        if searches:
            low, middle, high = np.quantile([regret(rows, steps) for rows in searches], (0.25, 0.5, 0.75), axis=0)
            axes.plot(steps, middle, line, color=colour, label=f"{label} ({len(searches)} seeds)")
            axes.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
    for share in (0.1, 0.05):
        axes.axhline(share, color="black", linewidth=0.6, linestyle=":")
    axes.set(
        xscale="log",
        yscale="log",
        ylim=(ENDED_AT, 1.05),
        xlabel="steps of training, all architectures together",
        ylabel="regret: share of the best hypervolume that is missing",
    )
    axes.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1], ["2 %", "5 %", "10 %", "20 %", "50 %", "100 %"])
    axes.minorticks_off()
    ticks = [tick for tick in (225, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000) if tick <= steps[-1]]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(wanted.chart, dpi=150)


def regret(rows: pd.DataFrame, steps: np.ndarray) -> np.ndarray:
    """Of one search after so many steps, [N]; what it had when it ended stays."""
    place = np.searchsorted(rows["steps"], steps, side="right")
    found: np.ndarray = np.maximum(1 - np.concatenate([[0.0], rows["share"]])[place], ENDED_AT)
    return found


if __name__ == "__main__":
    main()
