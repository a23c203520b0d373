"""Which optional packages are installed, without the seconds that importing them takes."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


def package_version(package: str) -> str:
    """``absent`` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def installed(module: str) -> bool:
    """Whether the module could be imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # what find_spec raises for a module that is blocked
        return False
