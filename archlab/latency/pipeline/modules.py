"""Text encoders and image decoders as torch modules, by transformers and diffusers, with random weights."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.convert.quiet import quiet
from archlab.latency.network import Built
from archlab.latency.pipeline.components import ImageDecoder, TextEncoder

with quiet():  # they report on accelerators that they do not find
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

_VOCABULARY = 49408  # CLIP's; the last two are the text's start and end


def build_text_encoder(encoder: TextEncoder, length: int, seed: int) -> Built:
    """Input: ``tokens`` [1, L], int32, the end of the text in the last place."""
    config = CLIPTextConfig(
        vocab_size=_VOCABULARY,
        hidden_size=encoder.width,
        intermediate_size=4 * encoder.width,
        num_hidden_layers=encoder.layers,
        num_attention_heads=encoder.heads,
        hidden_act=encoder.activation,
        max_position_embeddings=length,
        projection_dim=encoder.width,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = TextToContext(config, encoder.hidden_state, encoder.pooled)
        tokens = torch.randint(_VOCABULARY - 2, (1, length), dtype=torch.int32)
    tokens[0, -1] = _VOCABULARY - 1
    return Built(module.eval().requires_grad_(False), {"tokens": tokens})


def build_image_decoder(decoder: ImageDecoder, latent_channels: int, latent_size: int, seed: int) -> Built:
    """Input: ``latent`` [1, C, S, S]."""
    stages = len(decoder.channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        autoencoder = AutoencoderKL(
            latent_channels=latent_channels,
            block_out_channels=decoder.channels,
            layers_per_block=decoder.res_blocks - 1,  # diffusers' decoder has one more
            norm_num_groups=decoder.norm_groups,
            down_block_types=("DownEncoderBlock2D",) * stages,
            up_block_types=("UpDecoderBlock2D",) * stages,
        )
        latent = torch.randn(1, latent_channels, latent_size, latent_size)
    return Built(LatentToImage(autoencoder).eval().requires_grad_(False), {"latent": latent})


class TextToContext(nn.Module):
    """A CLIP text model as a function to one tensor."""

    def __init__(self, config: CLIPTextConfig, hidden_state: int, pooled: bool) -> None:
        super().__init__()
        self.encoder: Any = (CLIPTextModelWithProjection if pooled else CLIPTextModel)(config)
        self.hidden_state = hidden_state
        self.pooled = pooled
        self.register_buffer("positions", torch.arange(config.max_position_embeddings)[None])

    def forward(self, tokens: Tensor) -> Tensor:
        """[1, L] → [1, L, D]; with the pooled embedding of the last token, as wide, as one more row."""
        out = self.encoder(input_ids=tokens, position_ids=self.positions, output_hidden_states=True)
        context: Tensor = out.last_hidden_state if self.hidden_state == -1 else out.hidden_states[self.hidden_state]
        if not self.pooled:
            return context
        return torch.cat([context, self.encoder.text_projection(out.last_hidden_state[:, -1:])], dim=1)


class LatentToImage(nn.Module):
    """The second half of an autoencoder."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.post_quant_conv = autoencoder.post_quant_conv
        self.decoder = autoencoder.decoder
        for attention in self.decoder.mid_block.attentions:
            attention.set_processor(WholeImageAttention())

    def forward(self, latent: Tensor) -> Tensor:
        """[1, C, S, S] → [1, 3, 8·S, 8·S]"""
        image: Tensor = self.decoder(self.post_quant_conv(latent))
        return image


class WholeImageAttention:
    """The decoder's self-attention, one head over all positions, as products that XNNPACK takes.

    A product with a transposed key becomes, for a single head, a fully connected layer with computed weights, which
    XNNPACK does not take; so the key comes out of a 1×1 convolution as it is needed. diffusers' own processor, through
    ``scaled_dot_product_attention``, is not for conversion: litert-torch 0.10 gives it other outputs than torch.
    """

    def __call__(
        self,
        attention: Any,
        hidden_states: Tensor,
        encoder_hidden_states: None = None,
        attention_mask: None = None,
        temb: None = None,
    ) -> Tensor:
        """[1, C, H, W] → the same. The arguments are those that diffusers gives its processors."""
        batch, channels, height, width = hidden_states.shape
        normed = attention.group_norm(hidden_states)
        tokens = normed.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        key_weight = attention.to_k.weight[:, :, None, None]
        key = F.conv2d(normed, key_weight, attention.to_k.bias).reshape(batch, channels, height * width)
        weights = torch.bmm(attention.to_q(tokens) * channels**-0.5, key).softmax(-1)
        mixed = attention.to_out[0](torch.bmm(weights, attention.to_v(tokens)))
        attended: Tensor = mixed.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        return hidden_states + attended
