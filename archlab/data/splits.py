"""Splits that a data set comes with: folders or shards that say ``train``, ``validation`` or ``test``."""

import re

from archlab.data.left_out import LeftOut
from archlab.data.pairs import Pair

TRAIN, VALIDATION, TEST = "train", "validation", "test"
OF_TEST_SPLIT = "image of the test split, which is kept apart"
_SPLITS = {  # the words that Hugging Face takes
    **dict.fromkeys(["train", "training"], TRAIN),
    **dict.fromkeys(["validation", "valid", "val", "dev"], VALIDATION),
    **dict.fromkeys(["test", "testing", "eval", "evaluation"], TEST),
}


def with_splits(pairs: list[Pair], left_out: LeftOut) -> list[Pair]:
    """The pairs, each with its split, where some train and others do not; those that test are left out."""
    splits = [_split(pair.name) for pair in pairs]
    if TRAIN not in splits or set(splits) <= {TRAIN, None}:
        return pairs
    known = []
    for pair, split in zip(pairs, splits, strict=True):
        if split == TEST:
            left_out.add(OF_TEST_SPLIT, pair.name)
        else:
            known.append(pair._replace(split=split or TRAIN))
    return known


def _split(name: str) -> str | None:
    """What the first folder or archive above an image says: ``train2017/``, ``val-00001.tar``."""
    words = (word for part in name.lower().split("/")[:-1] for word in re.split("[^a-z]+", part))
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)
