"""Where captioned images come from, by name. A further source is a file beside this and a line below."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.data.captioned import CaptionedImages
    from archlab.data.pairs import FileFormat

BUILTIN: "Registry[Callable[[int], CaptionedImages]]" = Registry(
    {
        "digits": "archlab.data.digits:digits",
        "shapes": "archlab.data.shapes:shapes",
    }
)  # made or loaded at a side in pixels

FILE_FORMATS: "Registry[FileFormat]" = Registry(
    {
        "coco": "archlab.data.coco:COCO",
        "folder": "archlab.data.folder:FOLDER",
        "shards": "archlab.data.shards:SHARDS",
    }
)  # of a path; each reads of a folder what those before it left
