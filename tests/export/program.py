"""An export's ``sample.py``, run where nothing but numpy and ai-edge-litert can be imported."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from archlab.model import Model
from archlab.model.sampling import noise_of

BLOCKED = ("torch", "archlab", "transformers", "diffusers", "tokenizers", "regex", "PIL")
WITHOUT = (
    "import runpy, sys; sys.modules |= dict.fromkeys({names!r}); runpy.run_path(sys.argv.pop(1), run_name='__main__')"
)


def run_sample(folder: Path, *arguments: str) -> str:
    """The program's output, in a process in which nothing but numpy and ai-edge-litert can be imported; and Pillow,
    where it draws along a picture."""
    blocked = tuple(name for name in BLOCKED if name != "PIL" or "--control" not in arguments)
    command = [sys.executable, "-c", WITHOUT.format(names=blocked), str(folder / "sample.py"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def drawn_by_program(
    folder: Path, model: Model, prompt: str, *arguments: str, seed: int = 3, fresh: int = 0
) -> np.ndarray:
    """With torch's noise of the seed: the first one, and so many that steps add."""
    spec = model.spec
    noise, (generator,) = noise_of([seed], (spec.in_channels, spec.sample_size, spec.sample_size))
    noises = torch.cat([noise, *(torch.randn(noise.shape, generator=generator) for _ in range(fresh))])
    np.save(folder.parent / "noise.npy", noises.numpy())
    out = folder.parent / "picture.png"
    run_sample(folder, prompt, "--noise", str(folder.parent / "noise.npy"), "--out", str(out), *arguments)
    return np.asarray(Image.open(out), dtype=int)


def share_within_one(ours: np.ndarray, model: Model, prompt: str, seed: int = 3, **how: Any) -> float:
    """Of the pixels' values that differ from torch's by 1 of 255 at most."""
    (image,) = model.generate(prompt, seeds=(seed,), **how)
    expected = np.asarray(image, dtype=int)
    assert ours.shape == expected.shape
    assert expected.std() > 10  # a picture
    return float((abs(ours - expected) <= 1).mean())
