"""Text encoders and image decoders as torch modules, by transformers and diffusers, with random weights."""

from typing import Any

import torch
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

    def forward(self, latent: Tensor) -> Tensor:
        """[1, C, S, S] → [1, 3, 8·S, 8·S]"""
        image: Tensor = self.decoder(self.post_quant_conv(latent))
        return image
