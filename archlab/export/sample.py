"""Draw a picture of a prompt:  python sample.py "a handwritten seven" --seed 1 --out seven.png

It needs numpy and ai-edge-litert, with --control Pillow, and nothing else. What differs between models is in
``scheduler.json`` beside it.
"""

import argparse
import hashlib
import itertools
import json
import re
import struct
import time
import unicodedata
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

Array = np.ndarray[Any, Any]
HERE = Path(__file__).resolve().parent
SPACES = "[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
COLUMNS = ("timesteps", "alphas", "sigmas", "next_alphas", "next_sigmas", "corrections", "fresh_sigmas")


class Network:
    """A TFLite file as a function of arrays; ``ms`` has the time of each call, which gives all outputs."""

    def __init__(self, facts: dict[str, Any], precision: str, threads: int) -> None:
        path = HERE / facts["files"].get(precision, next(iter(facts["files"].values())))
        self.run = Interpreter(str(path), num_threads=threads).get_signature_runner()
        self.outputs = [output["name"] for output in facts["outputs"]]
        self.ms: list[float] = []

    def all(self, **inputs: Array) -> list[Array]:
        """The outputs in order."""
        start = time.perf_counter()
        results = self.run(**inputs)
        self.ms.append(1000 * (time.perf_counter() - start))
        return [results[name] for name in self.outputs]

    def __call__(self, **inputs: Array) -> Array:
        """The only output."""
        return self.all(**inputs)[0]


class ControlledUNet:
    """A UNet that is given what a ControlNet, beside every pass, or an adapter, once, says of a picture."""

    def __init__(self, networks: dict[str, Network], picture: Array, scale: float) -> None:
        self.unet, self.controlnet = networks["controlled_unet"], networks.get("controlnet")
        self.picture, self.scale = picture, scale
        self.once = [] if self.controlnet else networks["adapter"].all(picture=picture)

    def __call__(self, **inputs: Array) -> Array:
        residuals = self.once
        if self.controlnet:
            seen = {name: inputs[name] for name in ("sample", "timestep", "context")}
            residuals = self.controlnet.all(**seen, picture=self.picture)
        given = {f"residual_{number}": np.float32(self.scale) * each for number, each in enumerate(residuals)}
        return self.unet(**inputs, **given)


def read_picture(path: str, size: int) -> Array:
    """A square picture, resized: float32 [1, 3, size, size] in [0, 1]."""
    from PIL import Image

    try:
        image = Image.open(path).convert("RGB")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror or 'no picture that can be read'}") from None
    if image.width != image.height:
        raise argparse.ArgumentTypeError(f"{path}: is {image.width}x{image.height}; a square of {size}x{size} is drawn")
    resized = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS), np.float32) / 255
    return np.ascontiguousarray(resized.transpose(2, 0, 1)[None])


def words_context(prompt: str, text: dict[str, Any]) -> Array:
    """A word is a vector of signs, the bits of its hash, and its place a sinusoid: [1, L, D]; the rest is zero."""
    tokens = [text["start"], *re.findall(r"\w+", prompt.lower())[: text["length"] - 2], text["end"]]
    angles = np.exp(-np.log(10_000) * np.arange(text["dim"] // 2) / (text["dim"] // 2))
    context = np.zeros((1, text["length"], text["dim"]), np.float32)
    for place, token in enumerate(tokens):
        digest = hashlib.shake_256(token.encode()).digest(text["dim"] // 8)
        signs = 2.0 * np.unpackbits(np.frombuffer(digest, np.uint8)) - 1
        waves = np.concatenate([np.cos(place * angles), np.sin(place * angles)])
        context[0, place] = text["word_scale"] * signs + text["place_scale"] * waves
    return context


def clip_tokens(prompt: str, text: dict[str, Any], folder: Path = HERE / "tokenizer") -> Array:
    """The tokens of CLIP's tokenizer, lower-case byte pairs between start and end, padded: int32 [1, L]."""
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    merges = (folder / "merges.txt").read_text("utf-8").split("\n")[1:]
    ranks = {tuple(merge.split()): rank for rank, merge in enumerate(merges) if merge}
    letters = byte_letters()
    tokens = []
    for part in re.split(f"({re.escape(text['start'])}|{re.escape(text['end'])})", prompt):
        if part in (text["start"], text["end"]):
            tokens.append(vocabulary[part])
            continue
        clean = re.sub(SPACES, " ", unicodedata.normalize("NFC", part))
        for word in split_words("".join(letter.lower() for letter in clean)):
            pieces = byte_pairs([letters[byte] for byte in word.encode()], ranks)
            tokens += [vocabulary.get(piece, vocabulary[text["end"]]) for piece in pieces]
    tokens = [vocabulary[text["start"]], *tokens[: text["length"] - 2], vocabulary[text["end"]]]
    return np.array([tokens + [text["pad"]] * (text["length"] - len(tokens))], np.int32)


def split_words(line: str) -> list[str]:
    """Runs of letters, single digits, runs of signs, and English endings like 's, as CLIP's pattern parts them."""
    kinds = "".join(
        "s" if letter == " " else {"L": "l", "N": "n"}.get(unicodedata.category(letter)[0], "o") for letter in line
    )
    words, at = [], 0
    while at < len(line):
        ending = re.compile("'(?:s|t|re|ve|m|ll|d)").match(line, at)
        kind = re.compile("s+|l+|n|o+").match(kinds, at)
        end = (ending or kind).end()  # type: ignore[union-attr]  # every letter has a kind
        if kinds[at] != "s":
            words.append(line[at:end])
        at = end
    return words


def byte_letters() -> dict[int, str]:
    """The visible letter that stands for each byte in GPT-2's and CLIP's vocabularies."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + place) for place, byte in enumerate(others)}


def byte_pairs(pieces: list[str], ranks: dict[tuple[str, ...], int]) -> list[str]:
    """Join neighbours, always the pair that was learnt first, until no pair is known."""
    pieces = [*pieces[:-1], f"{pieces[-1]}</w>"]
    while known := [(ranks[pair], at) for at, pair in enumerate(itertools.pairwise(pieces)) if pair in ranks]:
        _, at = min(known)
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
    return pieces


def clean_and_noise(kind: str, latent: Array, answer: Array, alpha: float, sigma: float) -> tuple[Array, Array]:
    """What a prediction says of ``latent = alpha x + sigma noise``: x, and the noise."""
    if kind == "epsilon":
        return (latent - sigma * answer) / alpha, answer
    if kind == "v_prediction":
        return alpha * latent - sigma * answer, alpha * answer + sigma * latent
    if kind == "flow_prediction":
        return latent - sigma * answer, latent + alpha * answer
    return answer, (latent - alpha * answer) / sigma  # "sample"


def guidance_embedding(guidance: float, dim: int) -> Array:
    """For a UNet that takes the guidance itself, in one pass: sines and cosines of 1,000 (guidance - 1): [1, dim]."""
    angles = 1000 * (guidance - 1) * np.exp(-np.log(10_000) * np.arange(dim // 2) / (dim // 2 - 1))
    return np.concatenate([np.sin(angles), np.cos(angles)])[None].astype(np.float32)


def draw(
    facts: dict[str, Any],
    steps: dict[str, Any],
    unet: Network | ControlledUNet,
    contexts: list[Array],
    noises: Array,
) -> Array:
    """From noise to latents: of one context; or of two, the prompt's and the empty one's, with guidance.

    noises: the first one, then those that steps add: [`noises_of`, C, H, W].
    """
    first, *fresh = np.split(noises, len(noises))
    latent: Array = steps["init_noise_sigma"] * first
    before = np.zeros_like(first)
    dim = facts["guidance_dim"]
    further = {} if dim is None else {"guidance": guidance_embedding(facts["guidance"], dim)}
    for timestep, alpha, sigma, next_alpha, next_sigma, correction, fresh_sigma in zip(
        *(steps[name] for name in COLUMNS), strict=True
    ):
        given = {"sample": latent, "timestep": np.array([timestep], np.float32), **further}
        answers = [unet(**given, context=context) for context in contexts]
        answer = answers[-1] + facts["guidance"] * (answers[0] - answers[-1])
        clean, noise = clean_and_noise(facts["prediction_type"], latent, answer, alpha, sigma)
        if facts["clip_range"] is not None:
            clean = clean.clip(-facts["clip_range"], facts["clip_range"])
            noise = (latent - alpha * clean) / sigma if facts["renoises"] else noise
        latent = next_alpha * clean + next_sigma * noise + correction * (clean - before)
        if fresh_sigma:
            latent = latent + fresh_sigma * fresh.pop(0)
        before = clean
    return latent


def noises_of(steps: dict[str, Any]) -> int:
    """How many noises the steps take: the first one, and one for each that adds some."""
    return 1 + int(np.count_nonzero(steps["fresh_sigmas"]))


def write_png(path: str, image: Array) -> None:
    """image: uint8 [H, W, C], C = 1 (grey) or 3."""
    height, width, channels = image.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    with open(path, "wb") as file:
        file.write(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        )


def arguments(facts: dict[str, Any]) -> argparse.Namespace:
    """What was typed."""
    precisions = [*facts["networks"]["unet"]["files"]]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", choices=[*facts["schedules"]], default=str(facts["steps"]))
    parser.add_argument(
        "--guidance", type=float, default=facts["guidance"], help="1: one pass of the UNet a step, not two"
    )
    if "controlled_unet" in facts["networks"]:
        size = facts["image"]["size"]
        parser.add_argument(
            "--control", metavar="PICTURE", type=lambda path: read_picture(path, size), help="draw along it"
        )
        parser.add_argument("--control-scale", type=float, default=1.0, help="how strongly it holds")
    parser.add_argument("--precision", choices=precisions, default=precisions[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--noise", help="a .npy file with the noise, instead of the seed's: the first one, then the added"
    )
    parser.add_argument("--zoom", type=int, default=1, help="pixels become squares of this side")
    parser.add_argument("--out", default="picture.png")
    return parser.parse_args()


def main() -> None:
    """Read the prompt, draw, write the picture."""
    facts = json.loads((HERE / "scheduler.json").read_text("utf-8"))
    given, text, latents = arguments(facts), facts["text"], facts["latents"]
    facts["guidance"] = max(given.guidance, 1.0)
    networks = {name: Network(of, given.precision, given.threads) for name, of in facts["networks"].items()}

    one_pass = facts["guidance"] == 1 or facts["guidance_dim"] is not None
    prompts = [given.prompt] if one_pass else [given.prompt, ""]
    if text["kind"] == "clip":
        contexts = [networks["text_encoder"](tokens=clip_tokens(prompt, text)) for prompt in prompts]
    else:
        contexts = [words_context(prompt, text) for prompt in prompts]
        for word in text["vocabulary"] and set(re.findall(r"\w+", given.prompt.lower())) - set(text["vocabulary"]):
            print(f"the word {word!r} is in no caption that the model was trained on")

    steps = facts["schedules"][given.steps]
    shape = (noises_of(steps), latents["channels"], latents["size"], latents["size"])
    random = np.random.default_rng(given.seed).standard_normal(shape, np.float32)
    noises = random if given.noise is None else np.load(given.noise).astype(np.float32).reshape(shape)
    unet: Network | ControlledUNet = networks["unet"]
    if getattr(given, "control", None) is not None:
        unet = ControlledUNet(networks, given.control, given.control_scale)
    image = draw(facts, steps, unet, contexts, noises)
    if "decoder" in networks:
        scale, shift = (np.float32(latents[name]).reshape(1, -1, 1, 1) for name in ("scale", "shift"))
        image = networks["decoder"](latents=image / scale + shift)
    pixels = np.rint((image[0].transpose(1, 2, 0) / 2 + 0.5).clip(0, 1) * 255).astype(np.uint8)
    write_png(given.out, pixels.repeat(given.zoom, axis=0).repeat(given.zoom, axis=1))
    for name, network in networks.items():
        if network.ms:
            print(f"{name:15} {len(network.ms):3} passes, median {np.median(network.ms):8.2f} ms")
    print(given.out)


if __name__ == "__main__":
    main()
