"""Code in a process of its own that cannot import archlab, as on the machine of somebody who has diffusers alone."""

import os
import subprocess
import sys
from pathlib import Path

_BARRED = "import sys; sys.modules['archlab'] = None\n"


def run_without_archlab(code: str, folder: Path, *arguments: object) -> str:
    """Run the code in ``folder``, with the arguments as ``sys.argv[1:]``; what it printed."""
    environment = {**os.environ, "HF_MODULES_CACHE": str(folder / "modules"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", _BARRED + code, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
