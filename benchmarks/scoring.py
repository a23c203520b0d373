"""Seconds that a proxy is scored in against those that it is trained in, by the default settings, on one thread.

Scoring is everything at the last rung: validation loss, drawing, and what is read off and compared with the drawn. What
a data set pays once, its reader above all, is left out. Prints one JSON line; the ratio is of the worse data set.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from archlab.architecture import preset
from archlab.data.sources import BUILTIN
from archlab.proxy.evaluate import evaluate_proxy
from archlab.proxy.settings import ProxySettings


def main() -> None:
    """Train and score the proxy of the preset ``tiny`` on both data sets that come along, nothing known before."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_CACHE"] = folder
        runs = [scored(data, Path(folder) / data) for data in BUILTIN.names]
    worst = min(runs, key=lambda run: run["ratio"])
    line = {"benchmark": "scoring of a proxy", **{name: worst[name] for name in ("ours", "theirs")}}
    print(json.dumps({**line, "unit": "s", "ratio": worst["ratio"], "load": os.getloadavg()[0], "runs": runs}))


def scored(data: str, folder: Path) -> dict[str, Any]:
    """Both times on one data set."""
    folder.mkdir()
    settings = ProxySettings(data=data, device="cpu", threads=1)
    result = evaluate_proxy(preset("tiny"), settings, folder)
    return {
        "data": data,
        "steps": result.steps,
        "ours": round(result.score_seconds, 2),
        "theirs": round(result.train_seconds, 2),
        "ratio": round(result.train_seconds / result.score_seconds, 3),
        "scoring_share": round(result.score_seconds / (result.score_seconds + result.train_seconds), 3),
    }


if __name__ == "__main__":
    main()
