"""The pictures of a study's trials as Optuna's artifacts: samples as they are, architectures drawn when looked at."""

import threading
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from archlab.architecture import load
from archlab.drawing import Subject, drawing_info, write_picture
from archlab.errors import BadInput
from archlab.study.study import Study

_ARCHITECTURE, _SAMPLES = "a", "b"  # an artifact's id is hexadecimal digits


def attached(number: int, folder: Path) -> dict[str, tuple[str, str]]:
    """Ids of a trial's pictures, each with file name and type."""
    found = {}
    if (folder / "architecture.yaml").is_file():
        found[f"{_ARCHITECTURE}-{number:x}"] = ("architecture.svg", "image/svg+xml")
    if (folder / "samples.png").is_file():
        found[f"{_SAMPLES}-{number:x}"] = ("samples.png", "image/png")
    return found


class Pictures:
    """Optuna's artifact store over a study's folder; nothing can be put into it. A context manager."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._drawn = TemporaryDirectory(prefix="archlab-")
        self._drawing = threading.Lock()  # matplotlib's settings are the process's

    def __enter__(self) -> "Pictures":
        return self

    def __exit__(self, *_: object) -> None:
        self._drawn.cleanup()

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The picture's content.

        Raises:
            ArtifactNotFound: there is none of that id, or its architecture cannot be read.
        """
        kind, _, number = artifact_id.partition("-")
        folder = self.study.files.trial(int(number, 16))
        try:
            path = folder / "samples.png" if kind == _SAMPLES else self._architecture(int(number, 16), folder)
            return BytesIO(path.read_bytes())
        except (BadInput, OSError) as error:
            raise ArtifactNotFound(artifact_id) from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refused."""
        raise PermissionError(f"{self.study.name}: nothing can be attached")

    def remove(self, artifact_id: str) -> None:
        """Refused."""
        raise PermissionError(f"{self.study.name}: nothing can be removed")

    def _architecture(self, number: int, folder: Path) -> Path:
        """The architecture drawn over the baseline's."""
        stem = Path(self._drawn.name) / str(number)
        with self._drawing:
            if not stem.with_suffix(".svg").is_file():
                baseline = self.study.baseline_spec
                subject = Subject(f"trial {number}", load(folder / "architecture.yaml"))
                write_picture(drawing_info(subject, Subject("baseline", baseline)), stem)
        return stem.with_suffix(".svg")
