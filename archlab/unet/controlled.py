"""A UNet that draws under a control: a ControlNet or a T2I-Adapter with a picture."""

from torch import Tensor, nn

from archlab.unet.adapter import Adapter
from archlab.unet.controlnet import ControlNet
from archlab.unet.encoder import Added
from archlab.unet.residuals import Residuals
from archlab.unet.unet import UNet

ControlNetwork = ControlNet | Adapter


class ControlledUNet(nn.Module):
    """Called as the UNet is, with N images, or with N twice over, as guidance asks.

    Args:
        pictures: [N, 3, H, W] in [0, 1], or one for all images.
        scale: how strongly it holds: 0 not at all, 1 as it was trained.
    """

    def __init__(self, unet: UNet, network: ControlNetwork, pictures: Tensor, scale: float) -> None:
        super().__init__()
        self.unet, self.network = unet, network
        self._pictures, self._scale = pictures, scale
        self._once = network(pictures) if network.runs_once else None

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        added: Added | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """See `archlab.unet.UNet`."""
        times = len(sample) // len(self._pictures)
        if self._once is None:
            residuals = self.network(sample, timestep, context, _repeated(self._pictures, times))
        else:
            residuals = Residuals(stages=[_repeated(stage, times) for stage in self._once.stages])
        out: Tensor = self.unet(sample, timestep, context, added, guidance, residuals.times(self._scale))
        return out


def residuals_of(
    network: ControlNetwork, sample: Tensor, timestep: Tensor, context: Tensor, pictures: Tensor
) -> Residuals:
    """What a control network of either kind adds: of B latents and as many pictures."""
    residuals: Residuals = network(pictures) if network.runs_once else network(sample, timestep, context, pictures)
    return residuals


def _repeated(tensor: Tensor, times: int) -> Tensor:
    return tensor.repeat(times, 1, 1, 1)
