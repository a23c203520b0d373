"""Whether what was drawn has the edges that it was given."""

from dataclasses import dataclass

from torch import Tensor

from archlab.data.edges import edges


@dataclass(frozen=True)
class EdgeAgreement:
    """Of the pixels of edges in all images together; 1 is the same pixels.

    Attributes:
        f1: harmonic mean of the share of drawn ones that were given, and of given ones that were drawn.
        iou: those in both by those in either.
    """

    f1: float
    iou: float


def edge_agreement(images: Tensor, given: Tensor, sigma: float) -> EdgeAgreement:
    """How far the images' edges are the given ones.

    Args:
        images: [N, C, H, W] in [-1, 1].
        given: 0 or 1: [N, 1, H, W].
        sigma: see `archlab.data.edges.edges`.
    """
    drawn, wanted = edges(images, sigma).bool(), given.bool()
    both, either = (drawn & wanted).sum().item(), (drawn | wanted).sum().item()
    total = drawn.sum().item() + wanted.sum().item()
    return EdgeAgreement(f1=2 * both / total if total else 1.0, iou=both / either if either else 1.0)
