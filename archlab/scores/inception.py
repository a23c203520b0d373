"""Inception v3 as FID knows it: the network of 2015-12-05, from a local file of its weights.

Its differences from the published Inception v3 (arXiv 1512.00567) are those of that network: average pools leave their
padding out, the last block pools by maximum, and there are 1,008 classes.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from archlab.encoders.local_models import as_bad_input, hash_of_files
from archlab.errors import BadInput

FEATURE_DIM = 2048
_SETTING = "extractor"
_SIDE, _AT_ONCE = 299, 32
_BATCH_NORM_EPS = 1e-3
_COUNTER = "num_batches_tracked"  # of training; some files leave it out


class Inception:
    """The 2,048 features after the last pool (``pool_3``).

    Args:
        path: the weights as FID libraries have them (``pt_inception-2015-12-05``): safetensors, or a torch file of
            tensors alone.

    Raises:
        BadInput: there is no such file, or other weights are in it.
    """

    def __init__(self, path: str, device: torch.device) -> None:
        self._path, self._device = Path(path), device
        if not self._path.is_file():
            raise BadInput(f"{_SETTING}: {path}: no such file or folder")
        self.name = self._path.stem
        self._network = InceptionV3().eval().requires_grad_(False)
        self._network.load_state_dict(_weights(self._path, self._network.state_dict()))
        self._network.to(device)

    @cached_property
    def id(self) -> str:
        return f"{hash_of_files([self._path])}-{self._device.type}"

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] in [-1, 1] → float32 [N, 2048]"""
        return torch.cat([self._network(_seen(part.to(self._device))).cpu() for part in torch.split(images, _AT_ONCE)])


class Convolution(nn.Module):
    """Convolution, batch norm, ReLU; padded to keep the size unless it has a stride or is told otherwise."""

    def __init__(self, ins: int, outs: int, kernel: int | tuple[int, int] = 1, stride: int = 1, pad: bool = True):
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (sides[0] // 2, sides[1] // 2) if pad and stride == 1 else 0
        self.conv = nn.Conv2d(ins, outs, sides, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outs, eps=_BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class BlockA(nn.Module):
    """1×1; 5×5; two 3×3; average pool."""

    def __init__(self, ins: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(ins, 64)
        self.branch5x5_1, self.branch5x5_2 = Convolution(ins, 48), Convolution(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(ins, 64), Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3)
        self.branch_pool = Convolution(ins, pooled)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_average(x))], 1)


class BlockB(nn.Module):
    """Half the size: 3×3; two 3×3; maximum pool."""

    def __init__(self, ins: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(ins, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(ins, 64), Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], 1)


class BlockC(nn.Module):
    """1×1; a 7×7 and two of them, each as a row and a column; average pool."""

    def __init__(self, ins: int, inner: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = Convolution(ins, 192)
        self.branch7x7_1, self.branch7x7_2 = Convolution(ins, inner), Convolution(inner, inner, row)
        self.branch7x7_3 = Convolution(inner, 192, column)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Convolution(ins, inner), Convolution(inner, inner, column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Convolution(inner, inner, row), Convolution(inner, inner, column)
        self.branch7x7dbl_5 = Convolution(inner, 192, row)
        self.branch_pool = Convolution(ins, 192)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        two = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        two = self.branch7x7dbl_5(self.branch7x7dbl_4(two))
        return torch.cat([self.branch1x1(x), one, two, self.branch_pool(_average(x))], 1)


class BlockD(nn.Module):
    """Half the size: 3×3; 7×7 as a row and a column, then 3×3; maximum pool."""

    def __init__(self, ins: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Convolution(ins, 192), Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Convolution(ins, 192), Convolution(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = Convolution(192, 192, (7, 1)), Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, F.max_pool2d(x, 3, stride=2)], 1)


class BlockE(nn.Module):
    """1×1; 3×3 as a row beside a column; the same after another 3×3; pool."""

    def __init__(self, ins: int, pools_by_maximum: bool) -> None:
        super().__init__()
        row, column = (1, 3), (3, 1)
        self._pools_by_maximum = pools_by_maximum
        self.branch1x1 = Convolution(ins, 320)
        self.branch3x3_1 = Convolution(ins, 384)
        self.branch3x3_2a, self.branch3x3_2b = Convolution(384, 384, row), Convolution(384, 384, column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(ins, 448), Convolution(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Convolution(384, 384, row), Convolution(384, 384, column)
        self.branch_pool = Convolution(ins, 192)

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self._pools_by_maximum else _average(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(one), self.branch3x3_2b(one)]
        parts += [self.branch3x3dbl_3a(two), self.branch3x3dbl_3b(two), self.branch_pool(pooled)]
        return torch.cat(parts, 1)


class InceptionV3(nn.Module):
    """[B, 3, 299, 299] in [-1, 1] → [B, 2048]. Modules are named as in the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, pad=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b, self.Mixed_6c = BlockC(768, 128), BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = BlockC(768, 160), BlockC(768, 192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, pools_by_maximum=False), BlockE(2048, pools_by_maximum=True)

    def forward(self, x: Tensor) -> Tensor:
        for name, block in self.named_children():
            if name in ("Conv2d_3b_1x1", "Mixed_5b"):
                x = F.max_pool2d(x, 3, stride=2)
            x = block(x)
        return x.mean((2, 3))


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _seen(images: Tensor) -> Tensor:
    return F.interpolate(images.expand(-1, 3, -1, -1), size=(_SIDE, _SIDE), mode="bilinear", align_corners=False)


def _weights(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the network needs of the file; the classifier is not used.

    Raises:
        BadInput: something is not there or has another shape.
    """
    with as_bad_input(f"{_SETTING}: {path}: not a file of weights"):
        is_safe = path.suffix == ".safetensors"
        loaded = load_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, dict):
        raise BadInput(
            f"{_SETTING}: {path}: not a file of weights: {type(loaded).__name__}; tensors by name are needed"
        )
    weights = {name: loaded[name] for name in expected if name in loaded}
    for name, tensor in expected.items():
        other = f"{_SETTING}: {path}: no Inception v3 as FID libraries have it: {name} is"
        if name not in weights and not name.endswith(_COUNTER):
            raise BadInput(f"{other} missing")
        if name in weights and weights[name].shape != tensor.shape:
            raise BadInput(f"{other} {list(weights[name].shape)} instead of {list(tensor.shape)}")
    return {**expected, **weights}
