"""A network as a TFLite file by litert-torch, for a runtime that refuses archlab's own file, and to compare with."""

import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn

from archlab.convert.graph import evaluating
from archlab.convert.quiet import quiet
from archlab.errors import BadInput, RunFailed, reason, require
from archlab.files import atomic_path


def to_tflite_by_litert_torch(
    module: nn.Module, inputs: Mapping[str, Tensor], path: str | Path, precision: str = "fp32"
) -> None:
    """Write the network, as it is, for inputs of these shapes; whole or not at all.

    It takes half a minute and more, and norms as torch writes them break XNNPACK's partition.

    Raises:
        BadInput: another precision than ``fp32``.
        MissingExtra: litert-torch is not installed.
        RunFailed: it gave up; the message has its reason.
    """
    if precision != "fp32":
        raise BadInput(
            f"precision: litert-torch is asked for fp32 only, not {precision}; archlab's own has {precision}"
        )
    with quiet(), patch.dict(os.environ, {"LITERT_TORCH_SHOW_PROGRESS": "n"}):
        converter = require("litert_torch", "--converter litert-torch", "litert-torch")
        try:
            with torch.no_grad(), evaluating(module), atomic_path(Path(path)) as temporary:
                converter.convert(module, sample_kwargs=dict(inputs)).export(str(temporary))
        except Exception as error:
            raise RunFailed(f"{path}: litert-torch cannot convert the network: {reason(error)}") from error
