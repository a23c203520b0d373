"""The file that runs on a Mac, alone."""

import ast
import io
import os
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from archlab.latency.devices.coreml import agent as coreml_agent
from archlab.latency.devices.coreml.agent import Failed, content_hash, held, receive


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    folder = tmp_path / "größe und maß"
    (folder / "model.mlpackage").mkdir(parents=True)
    (folder / "model.mlpackage/weight.bin").write_bytes(bytes(1000))
    (folder / "inputs.npz").write_bytes(b"inputs")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def deliver(archive: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        for name, content in archive.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))


def test_it_is_python_3_9_and_knows_nothing_of_archlab() -> None:
    tree = ast.parse(Path(coreml_agent.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(module.startswith("archlab") for module in modules)
    assert "__future__" in modules  # its annotations are newer


def test_what_is_received_is_held_by_its_content(sent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_hash(sent)
    assert held(content) == {"folder": None}
    deliver(contents(sent), monkeypatch)
    folder = receive(content)["folder"]
    assert held(content) == {"folder": folder}
    assert content_hash(Path(folder)) == content


@pytest.mark.parametrize(
    "archive",
    [{"inputs.npz": b"inputs"}, {"inputs.npz": b"inputs", "model.mlpackage/weight.bin": bytes(999)}],
)
def test_what_arrives_otherwise_is_not_kept(sent: Path, archive, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(archive, monkeypatch)
    with pytest.raises(Failed, match="not what was sent"):
        receive(content_hash(sent))
    assert list((home / coreml_agent.FOLDER).iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "/outside", "inner/../../outside"])
def test_nothing_is_written_outside(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver({name: b"x"}, monkeypatch)
    with pytest.raises(Failed, match="not a plain file"):
        receive("0" * 64)
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("one", "other"), [({"a": b"bc"}, {"ab": b"c"}), ({"a": b"", "b": b"x"}, {"a": b"x", "b": b""})]
)
def test_content_differs_with_names_and_bytes(tmp_path: Path, one, other) -> None:
    for folder, files in (("one", one), ("other", other)):
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    assert content_hash(tmp_path / "one") != content_hash(tmp_path / "other")


def test_the_least_recently_used_makes_room(sent: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = home / coreml_agent.FOLDER
    for number in range(3):
        folder = root / (str(number) * 64)
        folder.mkdir(parents=True)
        (folder / "weight.bin").write_bytes(bytes(100))
        os.utime(folder, (number, number))
    held("0" * 64)
    monkeypatch.setattr(coreml_agent, "LIMIT_BYTES", 250)
    deliver(contents(sent), monkeypatch)
    content = content_hash(sent)
    receive(content)
    assert {path.name for path in root.iterdir()} == {"0" * 64, "2" * 64, content}
