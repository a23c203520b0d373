"""A space small enough to train for real in a second or two, written where a test wants it."""

from pathlib import Path

MINI = """
baseline: tiny
knobs:
  transformers: [sd, no_stage0, middle, none]
  ff_ratio: {low: 4, high: 8, step: 2}
  conv: [standard, separable]
  res_blocks: [1/2, 1/1]
measure: []
objectives: [quality, macs_g]
proxy:
  data: digits
  scale: {width: 0.125, sample_size: 8}
  rungs: [3]
  samples: 20
  sampling_steps: 2
search: {strategy: tpe, trials: 6, seed: 3}
"""


def write_space(folder: Path, text: str = MINI, name: str = "mini") -> Path:
    """A search-space YAML in ``folder``."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path
