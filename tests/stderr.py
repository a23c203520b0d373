"""Whose the lines on a command's standard error are."""

import re

_OURS = re.compile(
    r"\d\d:\d\d:\d\d |archlab: |going on after |picture  |exporting |writing |mirroring |Core ML |\s*$"
    r"|(adherence|clip_score|fid|kid|precision|recall|val_loss)[: ]|no scores: |.* has changed since it was trained "
    r"|.* is not scored: |.*: no latency: |NOISY: |no price list: |\d[\d,]* of \d[\d,]* bursts"
)


def lines_of_others(stderr: str) -> list[str]:
    """Those that are none of archlab's own: a library's warnings and log lines."""
    return [line for line in stderr.splitlines() if not _OURS.match(line)]
