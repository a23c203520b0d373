"""Where the user's ``benchmark_model`` is: no package registry has it."""

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path

from archlab.errors import BadInput
from archlab.files import cache_folder, write_text

VARIABLE = "ARCHLAB_BENCHMARK_MODEL"
CLASSIC_URL = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest/"
    "android_aarch64_benchmark_model"
)
MEND = f"export {VARIABLE}={CLASSIC_URL}"

_TIMEOUT_S = 60.0


def has_program() -> bool:
    """Whether there is one, or an address to download it from."""
    named = os.environ.get(VARIABLE)
    return (_is_url(named) or Path(named).is_file()) if named else len(_kept()) == 1


def find_program() -> Path:
    """The program that ``$ARCHLAB_BENCHMARK_MODEL`` names by path or URL; without it, the only one in the cache.

    A download is kept in the cache folder under its SHA-256, with the URL beside it.

    Raises:
        BadInput: there is none, there are several, or it cannot be downloaded.
    """
    named = os.environ.get(VARIABLE)
    if named and _is_url(named):
        return _downloaded(named)
    if named:
        if not Path(named).is_file():
            raise BadInput(f"{VARIABLE}: {named}: no such file")
        return Path(named)
    kept = _kept()
    if len(kept) != 1:
        found = "there is no benchmark_model" if not kept else f"there are {len(kept)} in the cache"
        raise BadInput(f"{found}: name one by path or URL: {MEND}")
    return kept[0]


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _downloaded(url: str) -> Path:
    for program in _kept():
        if _source(program).is_file() and _source(program).read_text(encoding="utf-8") == url:
            return program
    folder = cache_folder("benchmark_model")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        download = Path(temporary) / "benchmark_model"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, download.open("wb") as file:
                shutil.copyfileobj(response, file)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BadInput(f"{VARIABLE}: cannot download {url}: {error}") from None
        program = download.replace(folder / sha256(download))
    write_text(_source(program), url)
    return program


def _kept() -> list[Path]:
    """The programs in the cache that are what their names say."""
    files = [path for path in cache_folder("benchmark_model").iterdir() if len(path.name) == 64]
    return [path for path in files if sha256(path) == path.name]


def _source(program: Path) -> Path:
    return program.with_suffix(".url")


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))
