from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    BitImageProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.errors import BadInput
from archlab.scores.attribute_classifier import AttributeClassifier
from archlab.scores.extractors import Extractor, load_extractor
from archlab.scores.inception import InceptionV3
from archlab.scores.reference import compared_with

CPU = torch.device("cpu")
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 4}


def load(source: Path | str, data: CaptionedImages) -> Extractor:
    return load_extractor(str(source), data, CPU, lambda stage, share: None)


@pytest.fixture(scope="module")
def digits() -> CaptionedImages:
    return load_data("digits", 8)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randint(256, (5, 3, 40, 40), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(**SMALL, projection_dim=6, image_size=20)).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def dino(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(**SMALL, image_size=20)).save_pretrained(tmp_path)
    return tmp_path


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "kind", "output", "processor", "side"),
    [
        ("clip", CLIPVisionModelWithProjection, "image_embeds", CLIPImageProcessor, 20),
        ("dino", Dinov2Model, "pooler_output", BitImageProcessor, 64),
    ],
)
def test_features_are_those_of_transformers(
    name: str,
    kind: Any,
    output: str,
    processor: Callable[..., Any],
    side: int,
    images: Tensor,
    digits: CaptionedImages,
    request: pytest.FixtureRequest,
) -> None:
    folder = request.getfixturevalue(name)
    mean_and_deviation = (
        {} if name == "clip" else {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    )
    process = processor(size={"shortest_edge": side}, crop_size={"height": side, "width": side}, **mean_and_deviation)
    pixels = process(list(images.byte().permute(0, 2, 3, 1).numpy()), return_tensors="pt")["pixel_values"]
    expected = getattr(kind.from_pretrained(folder).eval()(pixels), output)
    extractor = load(folder, digits)
    torch.testing.assert_close(extractor.features(images / 127.5 - 1), expected, rtol=0.02, atol=0.02)
    assert extractor.features(digits.images[:3]).shape == (3, expected.shape[1])  # grey ones, too


@torch.no_grad()
def test_inception_has_the_published_layers(images: Tensor, digits: CaptionedImages, tmp_path: Path) -> None:
    network, shapes = InceptionV3(), {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _module, _inputs, output, name=name: shapes.update({name: output.shape[1:]})
        )
    classes = 1000 * 2048 + 1000
    assert sum(weight.numel() for weight in network.parameters()) + classes == 23_834_568  # torchvision's, no auxiliary
    path = tmp_path / "inception.pth"
    torch.save({**network.state_dict(), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path)
    network.eval()(torch.zeros(1, 3, 299, 299))
    sizes = {"Conv2d_4a_3x3": (192, 71), "Mixed_5d": (288, 35), "Mixed_6e": (768, 17), "Mixed_7c": (2048, 8)}
    assert {name: tuple(shapes[name]) for name in sizes} == {name: (c, s, s) for name, (c, s) in sizes.items()}
    found = load(path, digits)
    assert found.name == "inception"
    resized = F.interpolate(images[:1] / 127.5 - 1, size=(299, 299), mode="bilinear")
    torch.testing.assert_close(found.features(images[:1] / 127.5 - 1), network(resized))


@torch.no_grad()
@pytest.mark.parametrize(("name", "corner"), [("5b", 1 / 4), ("6b", 1 / 4), ("7b", 1 / 4), ("7c", 1)])
def test_inception_pools_as_fids_own_does(name: str, corner: float) -> None:
    # A spike in the corner: averaged over the four pixels inside, or in the last block its maximum, as in pytorch-fid
    block = InceptionV3().eval().get_submodule(f"Mixed_{name}")
    convolution = block.get_submodule("branch_pool.conv")
    torch.nn.init.ones_(convolution.weight)
    spike = torch.zeros(1, convolution.weight.shape[1], 4, 4)
    spike[0, 0, 0, 0] = 1
    assert block(spike)[0, -1, 0, 0].item() == pytest.approx(corner / 1.001**0.5)  # of batch norm


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_inception_takes_every_weight_of_the_file(
    suffix: str, images: Tensor, digits: CaptionedImages, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    network = InceptionV3().eval()
    weights = {name: torch.rand_like(tensor.float()) * 0.1 for name, tensor in network.state_dict().items()}
    weights = {name: tensor for name, tensor in weights.items() if not name.endswith("num_batches_tracked")}
    path = tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    loaded = load(path, digits)._network.state_dict()  # type: ignore[attr-defined]  # an Inception
    assert all(loaded[name].equal(tensor) for name, tensor in weights.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("Mixed_7c.branch_pool.bn.bias"), r"Mixed_7c\.branch_pool\.bn\.bias is missing"),
        (
            lambda weights: weights.update({"Conv2d_2a_3x3.bn.bias": torch.zeros(3)}),
            r"bn\.bias is \[3\] instead of \[32\]",
        ),
    ],
)
def test_other_weights_than_inceptions_are_refused(
    change: Callable[[dict[str, Tensor]], Any], message: str, digits: CaptionedImages, tmp_path: Path
) -> None:
    weights = InceptionV3().state_dict()
    change(weights)
    torch.save(weights, tmp_path / "other.pth")
    with pytest.raises(BadInput, match=rf"extractor: .*{message}"):
        load(tmp_path / "other.pth", digits)


def test_what_is_no_extractor_is_refused(digits: CaptionedImages, tmp_path: Path) -> None:
    (tmp_path / "file.pth").write_text("no weights")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    for source, message in (("file.pth", "not a file of weights"), ("none", "no such file"), (".", "of 'bert'; CLIP")):
        with pytest.raises(BadInput, match=rf"extractor: .*{message}"):
            load(tmp_path / source, digits)


def test_real_images_are_looked_at_once(
    clip: Path, digits: CaptionedImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))
    heard: list[float] = []
    extractor, reference = compared_with(digits, str(clip), CPU, lambda stage, share: heard.append(share), most=300)
    chosen = torch.arange(300) * 1797 // 300
    assert reference.features == pytest.approx(extractor.features(digits.images[chosen]).numpy(), abs=1e-6)
    assert heard == sorted(heard)
    again = compared_with(digits, str(clip), CPU, lambda stage, share: pytest.fail("again"), most=300)[1]
    assert again is reference
    anew = replace(digits)  # the same data, as another process has it
    again = compared_with(anew, str(clip), CPU, lambda stage, share: pytest.fail("again"), most=300)[1]
    assert (again.features == reference.features).all()


def test_the_reader_is_an_extractor(digits: CaptionedImages) -> None:
    assert isinstance(load("reader", digits), AttributeClassifier)
