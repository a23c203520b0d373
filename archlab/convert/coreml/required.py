"""coremltools, imported."""

from types import ModuleType

from archlab.convert.quiet import quiet
from archlab.errors import require


def require_coremltools(purpose: str) -> ModuleType:
    """Import it without its remarks on other libraries' versions and on parts that only a Mac has.

    Raises:
        MissingExtra: it is not installed.
    """
    with quiet():
        return require("coremltools", purpose, "coreml")
