"""Rotary positions of an image's tokens (Su et al., arXiv 2104.09864).

A head's channels i and i + d/2 are a pair, which is turned by an angle. The first half of the pairs is turned by the
row, the other half by the column, so that a score follows how far two places are apart along either axis; rows and
columns are counted at the stage's own resolution. That is the split of Qwen2-VL's image encoder (arXiv 2409.12191).
"""

import torch
from torch import Tensor

_BASE = 10_000.0


def rotate(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """Turn every head's pairs by the place of the token.

    Args:
        x: [B, height · width, heads, d], row by row; d a multiple of 4.
        grid: height and width.
    """
    angles = _angles(grid, x.shape[-1], x.device)[:, None]
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    turned: Tensor = x * torch.cat([cos, cos], -1) + torch.cat([second, first], -1) * torch.cat([-sin, sin], -1)
    return turned


def _angles(grid: tuple[int, int], size: int, device: torch.device) -> Tensor:
    """Of every token and pair: [height · width, d/2]."""
    height, width = grid
    count = size // 4
    frequencies = _BASE ** (-torch.arange(count, device=device) / count)
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    by_row = torch.outer(rows, frequencies).repeat_interleave(width, 0)
    return torch.cat([by_row, torch.outer(columns, frequencies).repeat(height, 1)], dim=-1)
