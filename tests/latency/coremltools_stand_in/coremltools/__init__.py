"""coremltools as on a Mac, where Core ML's own work is played: what is absent here comes from the real package."""

import enum
import sysconfig
from pathlib import Path

__path__.append(str(Path(sysconfig.get_paths()["purelib"]) / "coremltools"))


class ComputeUnit(enum.Enum):
    """The real one's members."""

    ALL = 1
    CPU_AND_GPU = 2
    CPU_ONLY = 3
    CPU_AND_NE = 4
