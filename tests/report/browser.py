"""A real browser on a page that it fetches from a server."""

import subprocess
from pathlib import Path


def screenshot(browser: str, url: str, picture: Path) -> str:
    """The document after its scripts have run; what it looks like is in ``picture``."""
    common = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1800",
        f"--user-data-dir={picture.parent}/profile", "--virtual-time-budget=15000", "--timeout=20000",
    ]  # fmt: skip
    subprocess.run([*common, f"--screenshot={picture}", url], capture_output=True, timeout=120, check=True)
    done = subprocess.run([*common, "--dump-dom", url], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
