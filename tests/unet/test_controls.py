"""ControlNets and T2I-Adapters for any architecture."""

import diffusers
import pytest
import torch
from torch import Tensor, nn

from archlab.architecture import UNetSpec, preset
from archlab.architecture.residual_places import residual_places
from archlab.unet import build, to_diffusers
from archlab.unet.adapter import Adapter
from archlab.unet.controlled import ControlledUNet, ControlNetwork
from archlab.unet.controlnet import ControlNet, controlnet_of
from archlab.unet.residuals import Residuals

FACTOR = 2
SD = preset("sd15").scaled(width=0.1, sample_size=16)
LAYOUTS = {
    "Stable Diffusion": SD,
    "BK-SDM-Tiny, without a middle": preset("bk_sdm_tiny").scaled(width=0.1, sample_size=16),
    "MobileDiffusion, without transformers in stage 0": preset("mobilediffusion").scaled(width=0.1, sample_size=16),
}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def asked(spec: UNetSpec) -> tuple[Tensor, Tensor, Tensor]:
    """Two noisy latents, times, contexts."""
    return torch.randn(2, 4, 16, 16), torch.tensor([3, 700]), torch.randn(2, 7, spec.context_dim)


def pictures() -> Tensor:
    return torch.rand(2, 3, 16 * FACTOR, 16 * FACTOR)


def learnt(network: ControlNetwork) -> ControlNetwork:
    """With weights as after a training: none of them zero."""
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return network.eval()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [ControlNet, Adapter])
@torch.no_grad()
def test_a_new_one_changes_nothing_and_a_learnt_one_does(layout: str, kind: type[ControlNetwork]) -> None:
    spec = LAYOUTS[layout]
    unet, network, inputs, shown = build(spec).eval(), kind(spec, FACTOR).eval(), asked(spec), pictures()
    alone = unet(*inputs)
    assert torch.equal(ControlledUNet(unet, network, shown, 1.0)(*inputs), alone)
    learnt(network)
    assert (ControlledUNet(unet, network, shown, 1.0)(*inputs) - alone).abs().max() > 1e-3
    assert torch.equal(ControlledUNet(unet, network, shown, 0.0)(*inputs), alone)


@pytest.mark.parametrize("layout", LAYOUTS)
@torch.no_grad()
def test_residuals_have_the_shapes_of_their_places(layout: str) -> None:
    spec = LAYOUTS[layout]
    places, inputs, shown = residual_places(spec), asked(spec), pictures()
    given = ControlNet(spec, FACTOR)(*inputs, shown)
    assert [(*skip.shape[1:],) for skip in given.skips] == [(p.channels, p.size, p.size) for p in places.skips]
    assert given.middle is not None
    assert given.middle.shape[1:] == (places.middle.channels, places.middle.size, places.middle.size)
    stages = Adapter(spec, FACTOR)(shown).stages
    assert [(*stage.shape[1:],) for stage in stages] == [(p.channels, p.size, p.size) for p in places.stages]


@torch.no_grad()
def test_a_new_controlnet_is_that_of_diffusers() -> None:
    unet = build(SD).eval()
    theirs_unet = to_diffusers(unet)
    theirs = diffusers.ControlNetModel.from_unet(theirs_unet, conditioning_embedding_out_channels=(16, 32)).eval()
    ours = learnt(controlnet_of(unet, FACTOR))
    from archlab.unet.diffusers_names import diffusers_names

    names = diffusers_names(ours, SD)
    theirs.load_state_dict({names[name]: weight for name, weight in ours.state_dict().items()})
    (sample, times, context), shown = asked(SD), pictures()
    skips, middle = theirs(sample, times, context, shown, return_dict=False)
    expected = theirs_unet(
        sample, times, context, down_block_additional_residuals=skips, mid_block_additional_residual=middle
    ).sample
    given = ours(sample, times, context, shown)
    for own, their in zip([*given.skips, given.middle], [*skips, middle], strict=True):
        torch.testing.assert_close(own, their, rtol=0, atol=1e-5)
    torch.testing.assert_close(unet(sample, times, context, residuals=given), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_an_adapter_is_that_of_diffusers() -> None:
    unet, ours = build(SD).eval(), learnt(Adapter(SD, FACTOR))
    channels = [stage.channels for stage in SD.stages]
    theirs = diffusers.T2IAdapter(channels=channels, downscale_factor=FACTOR).eval()
    theirs.load_state_dict({f"adapter.{name}": weight for name, weight in ours.state_dict().items()})
    (sample, times, context), shown = asked(SD), pictures()
    features = theirs(shown)
    for own, their in zip(ours(shown).stages, features, strict=True):
        torch.testing.assert_close(own, their, rtol=0, atol=1e-5)
    expected = to_diffusers(unet)(
        sample, times, context, down_intrablock_additional_residuals=[feature.clone() for feature in features]
    ).sample
    torch.testing.assert_close(unet(sample, times, context, residuals=ours(shown)), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_stages_without_transformers_get_their_feature_where_diffusers_adds_it() -> None:
    """SDXL's first stage, too, has none."""
    spec = preset("sdxl").scaled(width=0.1, sample_size=16)
    unet = build(spec).eval()
    assert spec.added is not None
    added = {"text_embeds": torch.randn(2, spec.added.text_dim), "time_ids": torch.ones(2, spec.added.time_ids)}
    sample, times, context = asked(spec)
    features = [torch.randn(2, place.channels, place.size, place.size) for place in residual_places(spec).stages]
    expected = to_diffusers(unet)(
        sample,
        times,
        context,
        added_cond_kwargs=added,
        down_intrablock_additional_residuals=[feature.clone() for feature in features],
    ).sample
    ours = unet(sample, times, context, added, residuals=Residuals(stages=features))  # type: ignore[arg-type]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)


def test_residuals_of_another_layout_are_refused() -> None:
    unet, inputs = build(SD), asked(SD)
    few = Residuals(skips=[torch.zeros(1)], stages=[torch.zeros(1)])
    with pytest.raises(ValueError, match="each of 4 stages is needed, not 1"):
        unet(*inputs, residuals=few)
    with pytest.raises(ValueError, match="each of 12 skips is needed, not 1"):
        unet(*inputs, residuals=few._replace(stages=()))
