"""The table against a device whose latencies are known: its clock drifts, other work interrupts it, and whole networks
overflow its cache."""

import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from archlab.architecture import UNetSpec, preset, presets, save
from archlab.architecture.presets import stable_diffusion
from archlab.errors import BadInput, RunFailed
from archlab.evaluation.fact import from_plain, to_plain
from archlab.latency import DeviceStatus, Latency, estimate
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network, unet_network
from archlab.latency.runner import circumstances
from archlab.latency.settings import Settings
from archlab.latency.table import build as table_build
from archlab.latency.table.audit import audit
from archlab.latency.table.build import Built, Step, build_table
from archlab.latency.table.estimate import open_table
from archlab.latency.table.modules import build_piece
from archlab.latency.table.networks import piece_network
from archlab.latency.table.pieces import pieces
from archlab.latency.table.space_pieces import pieces_of_space
from archlab.progress import Progress
from archlab.space import SearchSpace, load_space
from archlab.unet import build
from tests.latency.registered import register_runner
from tests.latency.test_latency_value import latency

IDLE_MS, MS_PER_GFLOP, CACHE_MB, MS_PER_MB = 0.05, 20.0, 1.0, 0.1
SHARED = {"width": 0.25, "sample_size": 16}

SPACE = """
baseline: tiny
knobs:
  transformers: [sd, no_stage0]
  self_attention: [all, inner]
  attention_normalizer: [softmax, relu]
  ff_ratio: [4, 6, 8]
  conv: [standard, separable]
  res_blocks: {choices: [1/1, 1/2], when: {conv: standard}}
require:
  - "not (conv == 'separable' and ff_ratio == 6)"
proxy: {data: digits}
"""


class Phone:
    """Every millisecond is by formula; the clock drifts by a third, and one burst in six takes up to half longer."""

    name = resource = "phone"
    compute_units = ("cpu", "gpu")
    precisions = ("fp32", "fp16")
    attention_forms = ("plain",)

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known: dict[str, tuple[float, float]] = {}
        self.breaks_after: float = math.inf
        self.luck = random.Random(0)

    def status(self) -> DeviceStatus:
        return DeviceStatus(name=self.name, about="")

    def versions(self, settings: Settings) -> dict[str, str]:
        return {"runtime": "1"}

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        if len(self.asked) >= self.breaks_after:
            raise RunFailed("the phone is broken")
        self.asked.append(network.id)
        if network.id not in self.known:
            self.known[network.id] = self.steady(network)
        steady_ms, model_mb = self.known[network.id]
        now_ms = steady_ms * (1 + math.sin(len(self.asked) / 300) / 3)
        if self.luck.random() < 1 / 6:
            now_ms *= 1 + self.luck.random() / 2
        provenance = circumstances(self.name, network, settings, self.versions(settings))
        return replace(latency(provenance=provenance), samples_ms=(now_ms,) * 3, bursts=(3,), model_mb=model_mb)

    @staticmethod
    def steady(network: Network) -> tuple[float, float]:
        """Milliseconds, by torch's own count of operations, and megabytes of weights."""
        module, inputs = network.build(0)
        with FlopCounterMode(display=False) as counter:
            module(**inputs)
        weights_mb = sum(parameter.numel() for parameter in module.parameters()) * 4 / 1e6
        reading_ms = MS_PER_MB * max(weights_mb - CACHE_MB, 0.0)
        return IDLE_MS + MS_PER_GFLOP * counter.get_total_flops() / 1e9 + reading_ms, weights_mb + 0.01


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> SearchSpace:
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(SPACE)
    return load_space(path)


@pytest.fixture(scope="module")
def phone() -> Iterator[Phone]:
    made = Phone()
    with pytest.MonkeyPatch.context() as patch:
        register_runner(patch, made)
        yield made


@pytest.fixture(scope="module")
def built(space: SearchSpace, phone: Phone, tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = tmp_path_factory.mktemp("table") / "phone.json"
    return build_table(space, "phone", path, **SHARED, fitted=12, checked=10)


def drawn(space: SearchSpace, seed: int) -> UNetSpec:
    return space.sample(seed).scaled(**SHARED)


@pytest.mark.parametrize("name", presets())
def test_pieces_have_the_weights_of_the_whole(name: str) -> None:
    spec = preset(name).scaled(width=0.1)

    def weights(module: Any) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    parts = [build_piece(piece, channels_last=False, seed=0).module for piece in pieces(spec)]
    assert sum(map(weights, parts)) == weights(build(spec))


@pytest.mark.parametrize("channels_last", [False, True])
def test_pieces_have_the_operations_of_the_whole(space: SearchSpace, channels_last: bool) -> None:
    def flops(module: Any, inputs: Any) -> int:
        with FlopCounterMode(display=False) as counter:
            module(**inputs)
        return counter.get_total_flops()

    spec = drawn(space, 1)
    parts = sum(flops(*build_piece(piece, channels_last, seed=0)) for piece in pieces(spec))
    assert parts == flops(*unet_network(spec).build(0))


def test_pieces_of_a_space_are_those_of_all_its_architectures(space: SearchSpace) -> None:
    reach = pieces_of_space(space, **SHARED)
    every = {piece for values in space.all_values() for piece in pieces(space.spec(values).scaled(**SHARED))}
    assert reach.proven
    assert every <= set(reach.pieces)
    assert len(every) == len(reach.pieces)


def test_space_too_large_is_sampled_and_says_so(space: SearchSpace) -> None:
    every = pieces_of_space(space, **SHARED)
    sampled = pieces_of_space(space, **SHARED, most_enumerated=3, drawn=100)
    assert not sampled.proven
    assert set(sampled.pieces) == set(every.pieces)


def test_estimates_are_near_what_the_device_would_take(space: SearchSpace, built: Built) -> None:
    opened = open_table(built.path)
    found = audit(opened.table, opened.fit)
    assert found.architectures == 10
    assert found.mape_percent < 3
    assert found.kendall_tau is not None
    assert found.kendall_tau > 0.9
    assert found.coverage >= 0.8
    reference_ms = Phone.steady(unet_network(drawn(space, 7)))[0]
    assert (
        0.95 < estimate(drawn(space, 7), "phone", table=built.path).median_ms / reference_ms < 4 / 3 + 0.05
    )  # where the clock was


def test_drift_and_interruptions_cancel(built: Built, phone: Phone) -> None:
    known = {piece: phone.known[piece_network(piece, channels_last=False).id][0] for piece in built.table.pieces}
    ratios = [timing.ratio / known[piece] for piece, timing in built.table.pieces.items()]
    assert max(ratios) / min(ratios) < 1.1  # the clock alone drifts by a third


def test_estimate_never_looks_measured(space: SearchSpace, built: Built) -> None:
    estimated = to_plain(estimate(drawn(space, 3), "phone", table=built.path))
    assert "samples_ms" not in estimated
    assert estimated["low_ms"] < estimated["median_ms"] < estimated["high_ms"]
    provenance = estimated["provenance"]
    assert (provenance["kind"], provenance["device"], provenance["runtime"]) == ("estimated", "phone", "1")
    assert provenance["architecture"] == drawn(space, 3).deployed.id
    assert provenance["table"] == built.table.id
    with pytest.raises(BadInput, match="samples_ms is absent"):
        from_plain(Latency, estimated, "an estimate")


def test_stopped_build_goes_on_where_it_was(space: SearchSpace, phone: Phone, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    asked_before = len(phone.asked)
    phone.breaks_after = asked_before + 40
    with pytest.raises(RunFailed, match="the phone is broken"):
        build_table(space, "phone", path, **SHARED, fitted=3, checked=1)
    phone.breaks_after = math.inf
    steps: list[Step] = []
    built = build_table(space, "phone", path, **SHARED, fitted=3, checked=1, progress=steps.append)
    assert {len(timing.bursts) for timing in built.table.pieces.values()} == {table_build.PIECE_ROUNDS}
    assert {len(timing.bursts) for timing in built.table.whole["fit"].values()} == {table_build.WHOLE_ROUNDS}
    assert steps[0].done > 25
    assert steps[-1].done == steps[-1].bursts
    assert steps[-1].seconds_left == 0
    asked = len(phone.asked)
    build_table(space, "phone", path, **SHARED, fitted=3, checked=1)
    assert len(phone.asked) == asked


def test_table_without_a_name_is_found_again(
    space: SearchSpace, phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    with pytest.raises(BadInput, match=r"no latency table .* archlab latency-table build --device phone"):
        estimate(drawn(space, 0), "phone")
    built = build_table(space, "phone", **SHARED, fitted=3, checked=1)
    found = estimate(drawn(space, 0), "phone")
    assert found.provenance["table"] == built.table.id
    with pytest.raises(BadInput, match="no latency table"):
        estimate(drawn(space, 0), "phone", threads=2)


def test_unknown_piece_is_named_with_what_would_measure_it(space: SearchSpace, built: Built) -> None:
    spec = space.spec({"ff_ratio": 4}).scaled(width=0.25, sample_size=32)
    with pytest.raises(BadInput, match=r"no timing of conv_in\(.*size=32\); measure it .* --out .*phone\.json"):
        estimate(spec, "phone", table=built.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 2}, "is a table of threads 1, not 2"),
        ({"precision": "fp16"}, "is a table of precision fp32, not fp16"),
        ({"compute": "gpu"}, "is a table of compute cpu, not gpu"),
    ],
)
def test_table_is_of_one_device_and_settings(
    space: SearchSpace, built: Built, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        estimate(drawn(space, 0), "phone", table=built.path, **changes)


def test_build_refuses_a_table_of_other_versions(
    space: SearchSpace, built: Built, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "versions", lambda settings: {"runtime": "2"})
    with pytest.raises(BadInput, match="is a table of runtime 1, not 2; take another file"):
        build_table(space, "phone", built.path, **SHARED)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: "{", "damaged"),
        (lambda data: json.dumps({"format": "?"}), "is not a latency table"),
        (
            lambda data: json.dumps({**data, "pieces": [{"piece": {"kind": "stack"}}]}),
            "damaged: pieces.0.piece.node is absent",
        ),
        (lambda data: json.dumps({**data, "pieces": 3}), "damaged: pieces: "),
        (
            lambda data: json.dumps({**data["circumstances"], "format": "archlab latency table 1"}),
            "is a table of an earlier archlab; delete it and build it again: archlab latency-table build "
            "--device phone --space SPACE.yaml --threads 1 --precision fp32 --compute cpu --attention plain "
            "--converter archlab --out",
        ),
        (
            lambda data: json.dumps({**data, "circumstances": {**data["circumstances"], "settings": 3}}),
            "damaged: circumstances.settings: ",
        ),
        (lambda data: json.dumps({**data, "seconds": 10**400}), "damaged: a number of 401 digits"),
        (lambda data: json.dumps({**data, "measured_at": ["now"]}), "damaged: measured_at: "),
        (
            lambda data: json.dumps({**data, "reference": {"kind": "x", "node": None, "unet": []}}),
            "damaged: reference.kind: Input should be 'embedding'",
        ),
        (lambda data: json.dumps({**data, "idle": {**data["idle"], "model_mb": -1}}), "-1.0 MB is no size"),
        (lambda data: json.dumps({**data, "idle": {**data["idle"], "bursts": [[0, 1]]}}), "0.0 and 1.0 ms are no"),
        (lambda data: json.dumps({**data, "whole": {"fit": [], "check": []}}), "0 whole networks are measured"),
    ],
)
def test_damaged_table_is_one_line(space: SearchSpace, built: Built, tmp_path: Path, damage: Any, message: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(damage(json.loads(built.path.read_text())))
    with pytest.raises(BadInput, match=message) as refused:
        estimate(drawn(space, 0), "phone", table=path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_commands_build_and_show_a_table_of_this_computer(tmp_path: Path) -> None:
    spec = stable_diffusion(channels=(16, 32), depths=(0, 1), heads=(2, 4), down=1, up=2, norm_groups=4)
    save(spec, tmp_path / "small.yaml")
    text = "baseline: small.yaml\nknobs: {ff_ratio: [4, 5, 6, 8]}\nproxy: {data: digits}\n"
    (tmp_path / "space.yaml").write_text(text)

    def archlab(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "archlab.cli.main", "latency-table", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)

    options = ["--sample-size", "8", "--fit", "3", "--check", "1", "--format", "json"]
    built = archlab("build", "--space", "space.yaml", "--out", "table.json", *options)
    assert built.returncode == 0, built.stderr
    assert "0 min left" in built.stderr.splitlines()[-1]
    shown = json.loads(archlab("show", "table.json", "--format", "json").stdout)
    assert shown["held_out_architectures"] == 1
    assert shown["held_out_mape_percent"] < 100
    assert json.loads(built.stdout)["id"] == shown["id"]
    refused = archlab("show", "space.yaml")
    assert refused.returncode == 2
    assert refused.stderr.startswith("archlab: space.yaml: damaged")
