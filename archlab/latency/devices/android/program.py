"""Where the user's ``benchmark_model`` is: no package registry has it."""

import http.client
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path

from archlab.cache import Entry, Kind
from archlab.errors import BadInput, without_passwords
from archlab.files import file_hash

VARIABLE = "ARCHLAB_BENCHMARK_MODEL"
CLASSIC_URL = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest/"
    "android_aarch64_benchmark_model"
)
MEND = f"export {VARIABLE}={CLASSIC_URL}"
PROGRAMS = Kind("benchmark_model", "programs that time networks on Android phones, as downloaded", evictable=False)

_PROGRAM, _SOURCE = "benchmark_model", "url"  # files of an entry
_TIMEOUT_S = 60.0


def has_program() -> bool:
    """Whether there is one, or an address to download it from."""
    named = os.environ.get(VARIABLE)
    try:
        return (_is_url(named) or Path(named).is_file()) if named else len(_downloads()) == 1
    except OSError:  # a cache that cannot be read; who measures is told
        return False


def find_program() -> Path:
    """The program that ``$ARCHLAB_BENCHMARK_MODEL`` names by path or URL; without it, the only one in the cache.

    A download is cached under its SHA-256, with the URL beside it.

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
    downloads = _downloads()
    if len(downloads) != 1:
        found = "there is no benchmark_model" if not downloads else f"there are {len(downloads)} in the cache"
        raise BadInput(f"{found}: name one by path or URL: {MEND}")
    return _program(downloads[0])


def _downloaded(url: str) -> Path:
    for entry in _downloads():
        source = entry.path / _SOURCE
        if source.is_file() and source.read_text(encoding="utf-8") == without_passwords(url):
            return _program(entry)
    with tempfile.TemporaryDirectory() as temporary:
        download = Path(temporary) / _PROGRAM
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, download.open("wb") as file:
                shutil.copyfileobj(response, file)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BadInput(f"{VARIABLE}: cannot download {without_passwords(url)}: {error}") from None
        entry = PROGRAMS.entry(file_hash(download))
        with entry.locked(), entry.written() as folder:
            folder.mkdir()
            shutil.copyfile(download, folder / _PROGRAM)
            (folder / _SOURCE).write_text(without_passwords(url), encoding="utf-8")
    return _program(entry)


def _downloads() -> list[Entry]:
    """The programs in the cache that are what their names say."""
    entries = [entry for entry in PROGRAMS.entries() if _program(entry).is_file()]
    return [entry for entry in entries if file_hash(_program(entry)) == entry.path.name]


def _program(entry: Entry) -> Path:
    return entry.path / _PROGRAM


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))
