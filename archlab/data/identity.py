"""Content hashes of data sets."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def content_id(blobs: Iterable[bytes], facts: Any) -> str:
    """Short hash of bytes, and of whatever JSON can hold."""
    content = hashlib.sha256()
    for blob in blobs:
        content.update(blob)
    content.update(json.dumps(facts).encode())
    return content.hexdigest()[:12]
