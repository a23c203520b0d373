"""What goes wrong in few steps shows in pictures long before it shows in losses."""

from torch import Tensor

_DRIFT, _LEAST_CONTRAST, _MOST_CONTRAST, _LEAST_SPREAD = 0.25, 0.5, 1.6, 0.3


def signs(drawn: Tensor, real: Tensor) -> list[str]:
    """What is wrong with drawn images, one line each.

    Args:
        drawn: of several prompts and noises: [N, C, H, W] in [-1, 1].
        real: images of the data, as many or more.
    """
    lines = []
    moved = (drawn.mean() - real.mean()).item()
    if abs(moved) > _DRIFT * real.std().item():
        lines.append(
            f"images drift: their mean is {drawn.mean():+.2f}, that of the data {real.mean():+.2f}; "
            "with dmd2 more fake_updates or a lower learning_rate steady them"
        )
    contrast = (drawn.std() / real.std()).item()
    if contrast < _LEAST_CONTRAST:
        lines.append(f"images are pale: their contrast is {contrast:.0%} of the data's, as of a mean of many images")
    if contrast > _MOST_CONTRAST:
        lines.append(f"images are over-saturated: their contrast is {contrast:.0%} of the data's; stop earlier")
    alike = (drawn.std(dim=0).mean() / real.std(dim=0).mean()).item()
    if alike < _LEAST_SPREAD:
        lines.append(f"images are all alike: they differ by {alike:.0%} of what the data do")
    return lines
