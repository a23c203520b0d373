"""A first search space for a baseline, as commented YAML to be edited."""

from typing import Any

import yaml

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput
from archlab.space.knobs import KNOBS, Knob, label

_TRIED: dict[str, list[Any]] = {  # against the baseline's own value
    "res_blocks": ["1/1"],
    "width": [0.75, 0.5],
    "transformers": ["no_stage0", "low_res", "middle"],
    "self_attention": ["inner"],
    "cross_attention": ["inner"],
    "kv_sharing": ["self"],
    "attention_normalizer": ["relu"],
    "ff_ratio": [6, 4],
    "ff_activation": ["swish"],
    "conv": ["separable"],
}
_PROXY_PARAMS = 1e6  # about so many train in seconds on a laptop
_LEAST_WIDTH = 0.1  # below, heads have hardly a channel each


def draft_space(name: str, baseline: UNetSpec, device: str) -> str:
    """A search space's YAML with what MobileDiffusion changed, as far as this baseline can take it.

    Args:
        name: how the YAML names the baseline: a preset or a path.
        device: as in ``measure``.
    """
    knobs = [line for knob in _TRIED for line in _knob_lines(KNOBS[knob], baseline)]
    width = min(1.0, max(_LEAST_WIDTH, (_PROXY_PARAMS / count(baseline).params) ** 0.5))
    return "\n".join(
        [
            "# A search space, to be edited; docs/search-spaces.md has every key.",
            f"baseline: {name}",
            "knobs:                          # the first value of each is the baseline's own",
            *knobs,
            "measure:",
            f"  - {{device: {device}}}             # archlab devices lists them; add lines for more",
            "constraints:                    # hard limits: a number, or a share of the baseline's",
            '  latency_ms: {max: "100%"}',
            "objectives: [quality, latency_ms]",
            "proxy:                          # quality is that of the architecture shrunk and trained for a short time",
            "  data: digits                  # real, inside a package; yours: folder:path/to/images, with captions",
            "  # of the target's channels, and the latent's side",
            f"  scale: {{width: {width:.2g}, sample_size: {min(8, baseline.sample_size)}}}",
            "  rungs: [40, 120]              # optimiser steps; what promises most goes on from the first",
            "search: {trials: 30}            # architectures to judge",
            "",
        ]
    )


def _knob_lines(knob: Knob, baseline: UNetSpec) -> list[str]:
    """Its line, if the baseline has one value of it and can take another."""
    own = knob.read(baseline)
    others = [value for value in _TRIED[knob.name] if value != own and _changes(knob, baseline, value)]
    if own is None or not others:
        return []
    values = [list(own) if isinstance(own, tuple) else own, *others]
    flow = yaml.safe_dump(values, default_flow_style=True, width=1000).strip()
    return [f"  {f'{knob.name}: {flow}'.ljust(58)}  # {knob.meaning}"]


def _changes(knob: Knob, baseline: UNetSpec, value: Any) -> bool:
    try:
        return knob.apply(baseline, value) != baseline and label(value) != label(knob.read(baseline))
    except BadInput:
        return False
