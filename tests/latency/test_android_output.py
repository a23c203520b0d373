import pytest

from archlab.latency.devices.android.output import parse_flags, parse_process

REPLACED = "Replacing 66 out of 66 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 partitions"
CLASSIC = f"""\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Use xnnpack: [1]
INFO: Loaded model /data/local/tmp/archlab/a1b2.tflite
VERBOSE: {REPLACED} for subgraph 0.
INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.
INFO: Initialized session in 94.297ms.
INFO: Running benchmark for at least 3 iterations and at least 0 seconds but terminate if exceeding 150 seconds.
INFO: count=3 first=120000 curr=81000 min=80000 max=120000 avg=93666.7 std=18624 p5=80000 median=81000 p95=120000

INFO: Running benchmark for at least 50 iterations and at least 0 seconds but terminate if exceeding 150 seconds.
INFO: count=50 first=79449 curr=81350 min=77385 max=88213 avg=79732 std=1929 p5=77600 median=79500 p95=83000

INFO: Inference timings in us: Init: 94297, First inference: 120000, Warmup (avg): 93666.7, Inference (avg): 79732
INFO: Memory footprint delta from the start of the tool (MB): init=51.2 overall=60.1
INFO: Overall peak memory footprint (MB) via periodic monitoring: 64.5
"""

NEW = """\
INFO: [litert/tools/benchmark_litert_model.cc:118] Loading model from: /data/local/tmp/archlab/a1b2.tflite
count=1 curr=120000
count=20 first=1000000 curr=1000001 min=999999 max=1000002 avg=1e+06 std=1 p5=999999 median=1000000 p95=1000002
INFO: [litert/tools/benchmark_litert_model.h:93]
========== BENCHMARK RESULTS ==========
INFO: [litert/tools/benchmark_litert_model.h:94] Model initialization: 3.65 ms
INFO: [litert/tools/benchmark_litert_model.h:95] Warmup (first):       120.00 ms
INFO: [litert/tools/benchmark_litert_model.h:130] Peak memory:          100.00 MB
"""


def test_classic_program() -> None:
    process = parse_process(CLASSIC, "cpu")
    assert (process.typical_ms, process.statistic, process.runs, process.p95_ms) == (79.5, "median", 50, 83.0)
    assert (process.init_ms, process.first_run_ms) == (94.297, 120.0)
    assert process.peak_memory_mb == pytest.approx(67.633, abs=1e-3)  # 64.5 · 2²⁰ / 10⁶
    assert (process.partitions, process.accelerated_share) == (1, 1.0)


def test_new_program() -> None:
    process = parse_process(NEW, "cpu")
    assert (process.typical_ms, process.runs, process.p95_ms) == (1000.0, 20, 1000.002)
    assert (process.init_ms, process.first_run_ms) == (3.65, 120.0)
    assert process.peak_memory_mb == pytest.approx(104.858, abs=1e-3)
    assert (process.partitions, process.accelerated_share) == (None, None)
    for whole in (parse_process(NEW, "gpu", whole=True), parse_process(f"VERBOSE: {REPLACED}.\n{NEW}", "cpu")):
        assert (whole.partitions, whole.accelerated_share) == (1, 1.0)


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        ("count=50 first=79449 curr=81350 min=77385 max=88213 avg=1.5e+06 std=1929", (1500.0, "mean", 50, None)),
        ("count=3 curr=100(all same)", (0.1, "median", 3, 0.1)),
        ("count=1 curr=100", (0.1, "median", 1, 0.1)),
    ],
    ids=["old, without percentiles", "all same", "single run"],
)
def test_statistics_of_every_shape(statistics: str, expected: tuple[float, str, int, float | None]) -> None:
    timed = next(line for line in CLASSIC.splitlines() if "count=50" in line)
    process = parse_process(CLASSIC.replace(timed, f"INFO: {statistics}"), "cpu")
    assert (process.typical_ms, process.statistic, process.runs, process.p95_ms) == expected


def test_what_a_delegate_took_in_part() -> None:
    output = CLASSIC.replace(
        "XNNPACK delegate, and the model graph will be completely executed by the delegate.",
        "GPU delegate, and the model graph will be partially executed by the delegate w/ 3 delegate kernels.",
    ).replace(
        "66 out of 66 node(s) with delegate (TfLiteXNNPackDelegate)", "33 out of 66 node(s) with delegate (GpuV2)"
    )
    process = parse_process(output, "gpu")
    assert (process.partitions, process.accelerated_share) == (3, 0.5)


TIMED = CLASSIC[CLASSIC.index("INFO: Running") :]  # nothing about a delegate
ON_GPU = "VERBOSE: Replacing 54 out of 66 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 3 partitions\n"
REST_ON_CPU = (
    "VERBOSE: Replacing 10 out of 13 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 3 partitions\n"
)
UNSUPPORTED = "WARN: GPU acceleration is unsupported on this platform.\n"
XNNPACK_WHOLE = (
    "INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.\n"
)


@pytest.mark.parametrize(
    ("said", "compute", "whole", "message"),
    [
        (UNSUPPORTED + XNNPACK_WHOLE, "gpu", False, "the gpu took nothing .*: GPU acceleration is unsupported on this"),
        (UNSUPPORTED, "gpu", False, "the gpu took nothing .*: GPU acceleration is unsupported on this platform"),
        (f"VERBOSE: {REPLACED} for subgraph 0.\n", "gpu", False, "the gpu took nothing of the network: the cpu ran it"),
        (ON_GPU.replace("54 out", "0 out"), "gpu", False, "the gpu took nothing"),
        ("", "gpu", False, "the gpu took nothing"),
        (f"VERBOSE: {REPLACED}.\n", "gpu", True, "the gpu took nothing of the network: the cpu ran it"),
        (ON_GPU.replace("54", "66"), "npu", True, "the npu took nothing of the network: the gpu ran it"),
        (ON_GPU + REST_ON_CPU, "gpu", True, "to run the whole network, but the cpu ran some"),
    ],
)
def test_times_of_another_unit_are_no_measurement(said: str, compute: str, whole: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_process(said + TIMED, compute, whole=whole)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (ON_GPU, (None, 54 / 66)),
        (ON_GPU + REST_ON_CPU, (None, None)),
        (
            XNNPACK_WHOLE.replace("XNNPACK", "GPU")
            .replace("completely", "partially")
            .replace("gate.", "gate w/ 3 delegate kernels.")
            + XNNPACK_WHOLE.replace("completely", "partially").replace("gate.", "gate w/ 2 delegate kernels."),
            (5, None),
        ),
        ("Replacing 9 out of 9 node(s) with delegate (LITERT_CL) node, yielding 1 partitions", (1, 1.0)),
    ],
    ids=["GPU in part", "GPU and XNNPACK", "both told", "LiteRT's GPU"],
)
def test_mixed_delegation_counts_both_and_has_no_share(said: str, expected: tuple[int | None, float | None]) -> None:
    process = parse_process(said + TIMED, "gpu")
    assert (process.partitions, process.accelerated_share) == expected


def test_npu_has_lines_of_its_own() -> None:
    said = "VERBOSE: Replacing 1 out of 1 node(s) with delegate (DispatchDelegate) node, yielding 1 partitions\n"
    assert parse_process(said + TIMED, "npu", whole=True).accelerated_share == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (f"WARN: Unconsumed cmdline flags: --use_npu=true\n{CLASSIC}", "does not know --use_npu=true"),
        (
            CLASSIC + "INFO: Though GPU delegate is explicitly applied, the model graph will not be executed by the "
            "delegate.",
            "the gpu took nothing",
        ),
        (CLASSIC[: CLASSIC.index("INFO: count=50")], "no statistics of warm-up and runs"),
        (CLASSIC.replace("Inference timings", ""), "no initialisation time"),
        ("INFO: count=0\nINFO: count=0\n", "no statistics of warm-up and runs"),
        ("", "no statistics of warm-up and runs"),
    ],
    ids=["unknown flag", "GPU took nothing", "cut off", "no init", "no run", "empty"],
)
def test_output_that_is_no_measurement(output: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_process(output, "gpu")


def test_flags_are_read_from_the_usage() -> None:
    usage = "ERROR: usage: ./benchmark_model <flags>\nFlags:\n\t--graph=\tstring\trequired\n\t--use_npu=false\tbool\n"
    assert parse_flags(usage) == {"graph", "use_npu"}
    assert parse_flags("Please specify the name of your TF Lite input file with --graph") == frozenset()
    with pytest.raises(ValueError, match=r"no benchmark_model for this device: .*not executable"):
        parse_flags("/data/local/tmp/archlab/x: not executable: 64-bit ELF file")
