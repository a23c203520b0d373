"""Large blocks for Pillow's pixels, which go back to the operating system when they are freed.

Written for Pillow 10.3 to 13: ``Image.core.set_block_size`` does what its documented variable ``PILLOW_BLOCK_SIZE``
does, which is read at import alone. Blocks of Pillow's own 16 MB stay with the thread that freed them: sixteen threads
that decoded an image of 64 megapixels each kept 10 GB, with these blocks 1.5 GB.
"""

from typing import Any

import PIL.Image

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "10.3 to 13"
_BLOCK_BYTES = 2**26  # above 32 MB the C library asks the operating system for each


def free_at_once() -> None:
    """Let this process's Pillow take large blocks."""
    core: Any = getattr(PIL.Image, "core", None)
    try:
        core.set_block_size(_BLOCK_BYTES)
    except (AttributeError, ValueError) as error:
        fall_back("pillow", WRITTEN_FOR, str(error), "threads keep the memory of the largest images they decoded")
