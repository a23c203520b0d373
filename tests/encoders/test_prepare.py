from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel

from archlab.data.load import load_data
from archlab.encoders.clip import Clip
from archlab.encoders.contracts import NULL_PROMPT
from archlab.encoders.pixels import Pixels
from archlab.encoders.prepare import Prepared, device_of
from archlab.encoders.words import Words
from archlab.errors import BadInput
from archlab.proxy.parts import prepare_proxy, proxy_data_and_encoders
from archlab.proxy.settings import ProxySettings, Scale
from tests.encoders.tiny import save_clip, save_kl

PLAIN = ProxySettings(data="digits", scale=Scale(sample_size=8))
PICKED = torch.tensor([1796, 0, 5, 0])


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("vae")
    save_kl(folder)
    return str(folder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return str(folder)


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, float]]:
    return []


@pytest.fixture(scope="module")
def encoded(vae: str, clip: str, heard: list[tuple[str, float]]) -> Prepared:
    settings = PLAIN.model_copy(update={"vae": vae, "text": clip})
    return prepare_proxy(settings, lambda stage, share: heard.append((stage, share)))


def test_without_encoders_pixels_and_words_are_used_as_they_are() -> None:
    prepared, digits = prepare_proxy(PLAIN), load_data("digits", 8)
    assert isinstance(prepared.codec, Pixels)
    assert isinstance(prepared.text, Words)
    assert prepared.latents[PICKED].equal(digits.images[PICKED])
    assert prepared.codec.decode(prepared.latents[PICKED] * 2).equal((digits.images[PICKED] * 2).clamp(-1, 1))
    captions = [digits.captions[index] for index in PICKED.tolist()]
    assert prepared.context(PICKED).equal(prepared.text.encode(captions))
    assert prepared.null_context.equal(prepared.text.encode([NULL_PROMPT])[0])
    assert (prepared.text.length, prepared.text.dim, prepared.codec.channels) == (8, 64, 1)


@torch.no_grad()
def test_with_encoders_latents_and_contexts_are_theirs(encoded: Prepared, vae: str, clip: str) -> None:
    assert encoded.data is load_data("digits", 16)  # halved by the VAE
    autoencoder = AutoencoderKL.from_pretrained(vae)
    expected = autoencoder.encode(encoded.data.images[PICKED]).latent_dist.mode() * autoencoder.config.scaling_factor
    torch.testing.assert_close(encoded.latents[PICKED], expected, rtol=1e-3, atol=1e-4)
    assert encoded.latents.shape == (1797, 2, 8, 8)
    assert isinstance(encoded.text, Clip)
    captions = [encoded.data.captions[index] for index in PICKED.tolist()]
    torch.testing.assert_close(encoded.context(PICKED), encoded.text.encode(captions), rtol=1e-3, atol=1e-3)
    model = CLIPTextModel.from_pretrained(clip)
    start, end = model.config.bos_token_id, model.config.eos_token_id
    empty = model(torch.tensor([[start, *[end] * (encoded.text.length - 1)]])).last_hidden_state
    torch.testing.assert_close(encoded.null_context, empty[0], rtol=1e-3, atol=1e-3)


def test_captions_of_the_data_need_no_encoder(encoded: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, _ = encoded.data.prompts_to_draw(20)
    expected = encoded.text.encode([*prompts, "a red circle"])
    torch.testing.assert_close(encoded.prompt_context([*prompts, "a red circle"]), expected)
    monkeypatch.setattr(Clip, "encode", lambda self, captions: pytest.fail("encoded again"))
    torch.testing.assert_close(encoded.prompt_context(prompts), expected[:20], rtol=1e-3, atol=1e-3)


def test_progress_of_both_encoders_is_one(encoded: Prepared, heard: list[tuple[str, float]]) -> None:
    assert {stage for stage, _ in heard} == {"encode"}
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert shares[-1] == 1
    assert len(shares) > 3


def test_it_is_prepared_once_whatever_else_the_settings_say(encoded: Prepared, vae: str, clip: str) -> None:
    other = ProxySettings(data="digits", scale=Scale(sample_size=8, width=0.5), vae=vae, text=clip, seeds=3)
    assert prepare_proxy(other, lambda stage, share: pytest.fail("encoded again")) is encoded


def test_id_follows_data_and_encoders(encoded: Prepared, vae: str, clip: str) -> None:
    changes = [{}, {"vae": vae}, {"text": clip}, {"scale": Scale(sample_size=4)}]
    ids = {prepare_proxy(PLAIN.model_copy(update=change)).id for change in changes}
    assert len(ids | {encoded.id}) == 5


def test_sources_encode_nothing(tmp_path: Path, clip: str) -> None:
    vae = save_kl(tmp_path)
    vae.encoder.conv_in.bias.data[0] = float("nan")
    vae.save_pretrained(tmp_path)
    settings = PLAIN.model_copy(update={"vae": str(tmp_path), "text": clip})
    data, codec, text = proxy_data_and_encoders(settings)
    assert (data.images.shape[-1], codec.channels, text.dim) == (16, 2, 16)
    with pytest.raises(BadInput, match=r"vae: .* infinite, NaN"):
        prepare_proxy(settings)


def test_vae_for_other_images_is_refused(tmp_path: Path) -> None:
    save_kl(tmp_path, channels=3)
    with pytest.raises(BadInput, match=r"vae: .* takes images of 3 channels, these have 1"):
        prepare_proxy(PLAIN.model_copy(update={"vae": str(tmp_path)}))


@pytest.mark.parametrize(("has_cuda", "chosen"), [(True, ["cuda", "cpu", "cuda"]), (False, ["cpu", "cpu", None])])
def test_device(has_cuda: bool, chosen: list[str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    for device, expected in zip(("auto", "cpu", "cuda"), chosen, strict=True):
        settings = PLAIN.model_copy(update={"device": device})
        if expected is None:
            with pytest.raises(BadInput, match=r"device: no GPU with CUDA"):
                device_of(settings)
        else:
            assert device_of(settings).type == expected
