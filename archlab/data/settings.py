"""What is learnt from: a section of a YAML."""

from typing import Annotated

from pydantic import Field

from archlab.data.sources import BUILTIN
from archlab.section import NamedOrPath, Section

LARGEST_SIDE = 2048  # of an image, in pixels


class DataSettings(Section):
    """Captioned images. Where they lie decides nothing: results are cached by their content."""

    data: Annotated[str, Field(min_length=1), NamedOrPath(BUILTIN.names)]  # or captioned images, shards, COCO captions
