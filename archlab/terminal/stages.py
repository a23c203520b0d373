"""Stages of work, as a person reads them."""

STAGES = {
    "convert": "converting the network",
    "measure": "measuring latency",
    "wait": "waiting for the device",
    "wait for room": "waiting for room on the disk",
    "confirm": "measuring it side by side with the baseline",
    "images": "reading images",
    "encode": "encoding images and captions",
    "reference": "learning what real images look like",
    "teacher": "loading the teacher",
    "inherit": "taking over the teacher's weights",
    "train the baseline": "training the baseline's proxy",
    "train": "training the proxy",
    "time steps": "timing a few training steps",
    "sample": "sampling images",
    "score": "scoring",
}


def in_words(stage: str) -> str:
    """``measuring latency (pixel8)`` for ``measure on pixel8``."""
    word, _, device = stage.partition(" on ")
    return STAGES.get(word, word) + (f" ({device})" if device else "")
