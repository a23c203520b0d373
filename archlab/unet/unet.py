"""A torch UNet built from a spec."""

import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import UNetSpec, layout
from archlab.architecture.parts import AppliedNormalizer
from archlab.unet.blocks import NORM_EPS, Upsample
from archlab.unet.encoder import Added, Encoder, block_of
from archlab.unet.inherited import Inheritance
from archlab.unet.norms import feature_norm
from archlab.unet.residuals import NO_RESIDUALS, Residuals
from archlab.unet.transformer import TransformerBlock


class UNet(Encoder):
    """Predicts the noise (or velocity) of a latent at a time step, given text.

    Modules are named after `archlab.architecture.layout`'s nodes: ``down.0.1``, ``middle.0``, ``upsample.2``.

    Attributes:
        inheritance: where its weights come from, if from another UNet.
    """

    inheritance: Inheritance | None = None

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__(spec)
        nodes = {node.name: node for node in layout(spec)}
        first = spec.stages[0].channels
        self.up = nn.ModuleList(
            nn.ModuleList(block_of(spec, nodes[f"up.{index}.{k}"]) for k in range(len(stage.up)))
            for index, stage in enumerate(spec.stages)
        )
        self.upsample = nn.ModuleDict(
            {node.name.split(".")[1]: Upsample(node) for node in nodes.values() if node.kind == "upsample"}
        )
        self.norm_out = feature_norm(spec.norm, first, spec.norm_groups, NORM_EPS)
        self.conv_out = nn.Conv2d(first, spec.out_channels, 3, padding=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        added: Added | None = None,
        guidance: Tensor | None = None,
        residuals: Residuals = NO_RESIDUALS,
    ) -> Tensor:
        """Predict from a latent, its time and its text.

        Args:
            sample: [B, C, H, W]; timestep: [B]; context: [B, L, D]; added: see `Added`.
            guidance: [B, guidance_dim], the embedded guidance scale of an LCM; None leaves it out.
            residuals: what a ControlNet or a T2I-Adapter adds.

        Returns:
            [B, C, H, W]
        """
        time = self.time(timestep, added, guidance)
        x, stacks = self.encode(self.conv_in(sample), time, context, residuals)
        for index in reversed(range(len(self.up))):
            for block in self.up[index]:  # type: ignore[attr-defined]
                x = self.through(block, x, time, context, stacks[index].pop() if stacks[index] else None)
            if str(index) in self.upsample:
                x = self.upsample[str(index)](x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out

    def bottleneck(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        added: Added | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """What the middle gives out: [B, channels of the last stage, h, w]. See `forward` for the arguments."""
        return self.encode(self.conv_in(sample), self.time(timestep, added, guidance), context)[0]


def build(spec: UNetSpec) -> UNet:
    """The torch module of an architecture, randomly initialised, in training mode."""
    return UNet(spec)


def set_attention_normalizer(unet: nn.Module, normalizer: AppliedNormalizer) -> None:
    """Switch the attention of transformers declared ``softmax->relu``: softmax to train, relu to finetune and
    deploy (as built)."""
    for module in unet.modules():
        if isinstance(module, TransformerBlock) and module.finetuned_with_relu:
            for attention in (module.self_attention, module.cross_attention):
                if attention is not None:
                    attention.normalizer = normalizer
