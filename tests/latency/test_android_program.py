import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from archlab.errors import BadInput
from archlab.latency.devices.android.program import VARIABLE, find_program, has_program

CONTENT = b"\x7fELF, a program"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "cache" / "benchmark_model"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where the program can be downloaded."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "benchmark_model").write_bytes(CONTENT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "served")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/benchmark_model"
        server.shutdown()


def test_download_is_cached_under_its_hash(
    url: str, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    assert has_program()
    program = find_program()
    assert program == cache / hashlib.sha256(CONTENT).hexdigest() / "benchmark_model"
    (tmp_path / "served" / "benchmark_model").unlink()
    assert find_program() == program
    monkeypatch.delenv(VARIABLE)
    assert find_program() == program

    program.write_bytes(b"damaged")
    assert not has_program()
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(BadInput, match=f"{VARIABLE}: cannot download {url}: .*404"):
        find_program()


def test_named_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "my program"
    monkeypatch.setenv(VARIABLE, str(path))
    assert not has_program()
    with pytest.raises(BadInput, match=f"{VARIABLE}: .*my program: no such file"):
        find_program()
    path.write_bytes(CONTENT)
    assert has_program()
    assert find_program() == path


def test_unnamed_is_one_line(cache: Path) -> None:
    assert not has_program()
    with pytest.raises(BadInput, match=f"there is no benchmark_model: .*export {VARIABLE}=https://"):
        find_program()
    for content in (b"one", b"two"):
        program = cache / hashlib.sha256(content).hexdigest() / "benchmark_model"
        program.parent.mkdir(parents=True)
        program.write_bytes(content)
    with pytest.raises(BadInput, match="there are 2 in the cache: name one by path or URL"):
        find_program()
