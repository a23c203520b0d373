"""Where a study measures: names, columns, limits, files."""

from pathlib import Path

import pytest

from archlab.latency import devices
from archlab.latency.devices.registry import KINDS
from archlab.study.definition import load_definition
from archlab.study.settings import Share
from tests.space.conftest import Write

KNOBS = "{conv: [standard, separable]}"
TWO = [{"device": "tflite", "threads": 2}, {"device": "android:R5CT1234", "compute": "gpu"}]


@pytest.mark.parametrize(
    ("device", "name"),
    [
        *(("tflite", "tflite"), ("torch:cuda", "torch"), ("android:R5CT:5555", "android")),
        *(("coreml@mac.local", "coreml"), ("iphone@mac", "iphone")),
    ],
)
def test_an_entry_is_named_after_its_device_unless_it_has_a_name(device: str, name: str, write: Write) -> None:
    assert write(KNOBS, measure=[{"device": device}]).settings.measure[0].name == name
    assert write(KNOBS, measure=[{"device": device, "name": "pixel-8"}]).settings.measure[0].name == "pixel-8"


def test_the_yaml_knows_the_kinds_of_devices_that_can_be_measured_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert {status.name.partition(":")[0].partition("@")[0] for status in devices()} == set(KINDS.names)


def test_the_first_entry_has_the_plain_column_and_every_other_its_name(write: Write) -> None:
    settings = write(KNOBS, measure=TWO, objectives=["quality", "latency_ms_android", "latency_ms"]).settings
    assert {column: where.device for column, where in settings.latency_columns.items()} == {
        "latency_ms": "tflite",
        "latency_ms_android": "android:R5CT1234",
    }


def test_limits_are_one_or_a_list_each_on_its_device(write: Write) -> None:
    share = Share(of_baseline=0.5)
    for limits, expected in (
        ({"max": 30}, {"latency_ms": 30}),
        ({"max": "50%", "device": "android"}, {"latency_ms_android": share}),
        ([{"max": 30, "device": "android"}, {"max": "50%"}], {"latency_ms_android": 30, "latency_ms": share}),
    ):
        settings = write(KNOBS, measure=TWO, constraints={"latency_ms": limits}).settings
        assert settings.limits == expected
        assert all(limit.device in ("tflite", "android") for limit in settings.constraints.latency_ms)


def test_files_are_relative_to_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    for name in ("pixel 8.json", "recorded.jsonl"):
        (tmp_path / name).write_text("")
    measure = [{"device": "android", "table": "pixel 8.json"}, {"device": "replay:recorded.jsonl"}]
    write(KNOBS, measure=measure)
    monkeypatch.chdir(tmp_path.parent)
    pixel, replay = load_definition(tmp_path / "space.yaml").settings.measure
    assert pixel.table == f"{tmp_path.name}/pixel 8.json"
    assert (replay.device, replay.name) == (f"replay:{tmp_path.name}/recorded.jsonl", "replay")
    absolute = [{"table": str(tmp_path / "pixel 8.json")}]
    assert write(KNOBS, measure=absolute).settings.measure[0].table == str(tmp_path / "pixel 8.json")


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "search-spaces.md").read_text(encoding="utf-8")
    example = page.partition("## Devices")[2].partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "pixel8.json").write_text("{}")
    path = tmp_path / "space.yaml"
    path.write_text(f"baseline: tiny\nknobs: {KNOBS}\nproxy: {{data: digits}}\n{example}", encoding="utf-8")
    settings = load_definition(path).settings
    assert list(settings.limits) == ["latency_ms", "latency_ms_pixel8"]
    assert set(settings.objectives) == {"quality", *settings.limits}
