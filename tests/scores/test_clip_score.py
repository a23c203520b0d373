from pathlib import Path

import pytest
import torch
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from archlab.errors import BadInput
from archlab.scores.clip_score import ClipScore
from tests.encoders.tiny import save_clip

CPU = torch.device("cpu")
PROMPTS = ["a red circle", "two", "a handwritten seven", "a blue square"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip")
    save_clip(path, with_images=True)
    return path


@torch.no_grad()
@pytest.mark.parametrize(("channels", "side"), [(3, 16), (1, 16), (3, 40)])
def test_it_is_clips_own_logit(channels: int, side: int, folder: Path) -> None:
    pixels = torch.randint(256, (4, channels, side, side), generator=torch.Generator().manual_seed(0))
    model = CLIPModel.from_pretrained(folder).eval()
    process = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    images = [image.expand(3, -1, -1).permute(1, 2, 0).byte().numpy() for image in pixels]
    inputs = CLIPTokenizer.from_pretrained(folder)(PROMPTS, padding=True, return_tensors="pt")
    logits = model(**inputs, pixel_values=process(images, return_tensors="pt")["pixel_values"]).logits_per_image
    ours = ClipScore(str(folder), CPU, at_once=3)(pixels / 127.5 - 1, PROMPTS)
    rounding = 1e-6 if side == 16 else 2e-3  # of resized pixels to 1 / 255
    torch.testing.assert_close(ours, logits.diag() / model.logit_scale.exp(), rtol=0, atol=rounding)


def test_half_a_clip_is_refused(tmp_path: Path) -> None:
    save_clip(tmp_path)
    with pytest.raises(BadInput, match=r"clip: .* the config is of 'clip_text_model'; a whole CLIP"):
        ClipScore(str(tmp_path), CPU)
