"""What TFLite's ``benchmark_model`` prints, of both programs that bear that name.

The *classic* program (tensorflow/lite/tools/benchmark) and the *new* one (LiteRT's litert/tools) share the flags and
the statistics, one line of microseconds for the warm-up and one for the timed runs, and differ in the rest.
"""

import re
from dataclasses import dataclass

_UNITS = {"xnnpack": "cpu", "gpu": "gpu", "litert_": "gpu", "dispatch": "npu"}  # by a part of a delegate's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of ``benchmark_model``.

    Attributes:
        typical_ms: median of the timed runs, their mean where the program is too old to tell the median.
        statistic: which of the two: ``median`` or ``mean``.
        runs: how many timed runs.
        p95_ms: of the timed runs; None where the program is too old.
        init_ms: from opening the file to being ready to run.
        first_run_ms: the very first run.
        peak_memory_mb: in 10⁶ bytes; None where it was not asked for.
        partitions, accelerated_share: what the delegate took; None where the program does not tell.
    """

    typical_ms: float
    statistic: str
    runs: int
    p95_ms: float | None
    init_ms: float
    first_run_ms: float
    peak_memory_mb: float | None
    partitions: int | None
    accelerated_share: float | None


def parse_flags(usage: str) -> frozenset[str]:
    """The flags that ``benchmark_model --help`` lists; empty for one so old that it knows no ``--help``.

    Raises:
        ValueError: this is another program, or none for that device.
    """
    flags = frozenset(re.findall(r"^\s*--(\w+)=", usage, re.MULTILINE))
    if "graph" not in flags and "--graph" not in usage:
        raise ValueError(f"this is no benchmark_model for this device: {first_complaint(usage)}")
    return flags


def parse_process(output: str, compute: str, *, whole: bool = False) -> Process:
    """Read the output of a process that ended well; ``compute`` is the unit it was to run on.

    With ``whole`` the process would have failed, had the unit not taken the whole network.

    Raises:
        ValueError: a flag was not understood, another unit ran the network, or a number is missing.
    """
    if unknown := re.search(r"Unconsumed cmdline flags: *(.+)", output):
        raise ValueError(f"benchmark_model does not know {unknown[1].strip()}; take another version of it")
    warm_up, timed = _statistics(output)
    init_ms = _init_ms(output)
    partitions, share = _delegation(output, compute, whole)
    typical = "median" if "median" in timed else "avg"
    return Process(
        typical_ms=timed[typical] / 1e3,
        statistic="median" if typical == "median" else "mean",
        runs=int(timed["count"]),
        p95_ms=timed["p95"] / 1e3 if "p95" in timed else None,
        init_ms=init_ms,
        first_run_ms=warm_up["first"] / 1e3,
        peak_memory_mb=_peak_memory_mb(output),
        partitions=partitions,
        accelerated_share=share,
    )


def first_complaint(output: str) -> str:
    """The first line that is marked as an error, otherwise the last line; empty without any."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if re.match(r"(ERROR|FATAL|[EF]\d{4})\b", line)), lines[-1] if lines else "")


_NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"


def _statistics(output: str) -> tuple[dict[str, float], dict[str, float]]:
    """Microseconds by name, of the warm-up and of the timed runs.

    Equal runs are printed as ``count=3 curr=100(all same)``, a single one as ``count=1 curr=100``.
    """
    found = []
    for line in re.findall(r"\b(count=\d+ .*)", output):
        values = {name: float(number) for name, number in re.findall(rf"(\w+)={_NUMBER}", line)}
        if "avg" not in values and "curr" in values:
            values |= dict.fromkeys(("first", "min", "max", "avg", "median", "p95"), values["curr"])
        found.append(values)
    if len(found) != 2 or not all({"count", "first", "avg"} <= values.keys() for values in found):
        raise ValueError(f"benchmark_model printed no statistics of warm-up and runs: {first_complaint(output)}")
    return found[0], found[1]


def _init_ms(output: str) -> float:
    if classic := re.search(rf"Inference timings in us: Init: {_NUMBER}", output):
        return float(classic[1]) / 1e3
    if new := re.search(rf"Model initialization: *{_NUMBER} ms", output):
        return float(new[1])
    raise ValueError("benchmark_model printed no initialisation time")


def _peak_memory_mb(output: str) -> float | None:
    """Both programs count in 2²⁰ bytes."""
    peak = re.search(
        rf"(?:peak memory footprint \(MB\) via periodic monitoring|Peak memory): *{_NUMBER}", output, re.IGNORECASE
    )
    return float(peak[1]) * 2**20 / 1e6 if peak else None


@dataclass(frozen=True, slots=True)
class _Delegate:
    """What one delegate took: ``kernels`` is None where the program does not tell, ``share`` likewise."""

    unit: str
    kernels: int | None
    share: float | None = None


def _delegation(output: str, compute: str, whole: bool) -> tuple[int | None, float | None]:
    """How many delegate kernels there are, of all units, and the share of the operations that ``compute`` replaced.

    A classic program that lacks the delegate of a unit says nothing of it and runs on the CPU, so GPU and NPU must have
    lines of their own. Where two units share the network, the share is not known.
    """
    taken = _delegates(output)
    own = [delegate for delegate in taken if delegate.unit == compute]
    others = sorted({delegate.unit for delegate in taken} - {compute})
    refused = any(_unit(name) == compute for name in re.findall(r"Though (\w+) delegate is explicitly applied", output))
    if refused or (compute != "cpu" and not own and (others or not whole)):
        by = f"the {' and the '.join(others)} ran it" if others else "its operations are not supported there"
        raise ValueError(f"the {compute} took nothing of the network: {_unsupported(output) or by}")
    if whole and others:
        raise ValueError(
            f"the {compute} was to run the whole network, but the {' and the '.join(others)} ran some of it"
        )
    if whole:
        return 1, 1.0
    known = [delegate.kernels for delegate in taken if delegate.kernels is not None]
    partitions = sum(known) if taken and len(known) == len(taken) else None
    return partitions, own[0].share if own and not others else None


def _delegates(output: str) -> list[_Delegate]:
    """The delegates that took something, by what the program and TFLite say of them."""
    said: dict[str, _Delegate] = {}
    for nodes, of, name, subsets in re.findall(
        r"Replacing (\d+)(?: out of (\d+))? node\(s\) with delegate \((.+?)\) node, yielding (\d+)", output
    ):
        if int(nodes):
            is_whole = nodes == of
            unit, share = _unit(name), int(nodes) / int(of) if of else None
            said.setdefault(unit, _Delegate(unit, int(subsets) if is_whole else None, share))
    for name, extent, kernels in re.findall(
        r"Explicitly applied (\w+) delegate, and the model graph will be (completely|partially) executed by the "
        r"delegate(?: w/ (\d+) delegate kernels)?",
        output,
    ):
        unit = _unit(name)
        share = 1.0 if extent == "completely" else said[unit].share if unit in said else None
        said[unit] = _Delegate(unit, 1 if extent == "completely" else int(kernels) if kernels else None, share)
    return list(said.values())


def _unit(delegate: str) -> str:
    """The unit that a delegate of this name runs on; the name of one that is not known."""
    return next((unit for part, unit in _UNITS.items() if part in delegate.lower()), delegate)


def _unsupported(output: str) -> str:
    """What the program says of a unit that it was not built for."""
    found = re.search(r"(\w+ acceleration is unsupported on this platform)", output)
    return found[1] if found else ""
