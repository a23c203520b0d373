"""Writes and runs the packages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from archlab.convert import COREML_PRECISIONS, CoreMLProgram, parity_of_all, to_coreml, to_coreml_chunks, torch_outputs
from archlab.convert.coreml import require_coremltools
from archlab.encoders.clip import Clip
from archlab.errors import RunFailed
from archlab.export.forms.coreml.parts import DecoderPart, Part, UNetPart, parts_of
from archlab.export.forms.coreml.swift import SCRIPT, remarks, script
from archlab.export.forms.form import ExportedFile, Form, Port, Run, Say, compared, not_written, size_mb
from archlab.export.networks import Networks
from archlab.export.tokenizer import write_tokenizer

_HOW = "compared by torch, which ran the package's program; Core ML itself was not asked"


class CoreML(Form):
    """What apple/ml-stable-diffusion's Swift package loads, in ``coreml``; other precisions in ``coreml_palette6``, ….

    ``TextEncoder``, ``Unet`` and ``VAEDecoder.mlpackage``, the tokenizer's ``vocab.json`` and ``merges.txt``, and
    ``compile.sh``, which makes ``Resources`` of all that on a Mac. To draw along a picture ``ControlledUnet`` and
    ``controlnet/ControlNet.mlpackage``; or, for an app of your own, ``Adapter.mlpackage``.

    Args:
        chunks: 2 writes ``UnetChunk1`` and ``UnetChunk2``, with half of the weights each.
        unet_batch: 2 for guidance; 1 where it is drawn without, or in two runs.
    """

    runtime = "Core ML"
    precisions = COREML_PRECISIONS
    default_precisions: tuple[str, ...] = ("fp16",)
    trained_only = False
    runs_itself = False

    def __init__(self, chunks: int = 1, unet_batch: int = 2) -> None:
        self._chunks, self._unet_batch = chunks, unet_batch

    def check(self) -> None:
        require_coremltools("writing Core ML packages")

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        place = folder / ("coreml" if precision == self.precisions[0] else f"coreml_{precision}")
        try:
            parts = parts_of(networks, self._unet_batch)
        except RunFailed as error:
            return [not_written(self, networks.unet, precision, error)]
        place.mkdir()
        files = [file for part in parts for file in self._write(part, place, precision, say)]
        (place / SCRIPT).write_text(script(), encoding="utf-8")
        if networks.model is not None and isinstance(networks.model.text, Clip):
            write_tokenizer(networks.model.text, place)
        return files

    def runs(self, networks: Networks, folder: Path, files: Sequence[ExportedFile]) -> Mapping[str, Run]:
        """By torch, which runs the packages' programs: rounded to float16 where they are."""
        packages: dict[str, list[Path]] = {}
        for file in files:
            if file.file is not None:
                packages.setdefault(file.component, []).append(folder / file.file)
        parts = parts_of(networks, self._unet_batch) if packages else []
        return {part.network.name: _run(part, packages[part.network.name]) for part in parts}

    def remarks(self, networks: Networks) -> Sequence[str]:
        decoder = next((part for part in parts_of(networks, 1) if isinstance(part, DecoderPart)), None)
        return remarks(networks, None if decoder is None else decoder.scale)

    def _write(self, part: Part, place: Path, precision: str, say: Say) -> list[ExportedFile]:
        chunked = self._chunks == 2 and isinstance(part, UNetPart)
        stems = [f"{part.stem}Chunk{number}" for number in (1, 2)] if chunked else [part.stem]
        paths = [place / f"{stem}.mlpackage" for stem in stems]
        paths[0].parent.mkdir(exist_ok=True)
        inputs = _typed(part, precision)
        outputs = dict.fromkeys(part.outputs, "fp32")
        say(f"writing {' and '.join(f'{place.name}/{path.name}' for path in paths)}")
        try:
            if chunked:
                to_coreml_chunks(part.module, inputs, (paths[0], paths[1]), precision=precision, outputs=outputs)
            else:
                to_coreml(part.module, inputs, paths[0], precision=precision, outputs=outputs)
        except RunFailed as error:
            return [not_written(self, part.network, precision, error)]
        programs = [CoreMLProgram(path) for path in paths]
        expected = torch_outputs(part.module, part.examples)
        parity = parity_of_all(expected, [made.numpy() for made in _outputs(programs, part, part.examples)])
        files = [
            ExportedFile(
                component=part.network.name,
                runtime=self.runtime,
                precision=precision,
                file=path.relative_to(place.parent).as_posix(),
                inputs=_ports(program.inputs),
                outputs=_ports(program.outputs),
                size_mb=size_mb(path),
                note=_HOW,
            )
            for path, program in zip(paths, programs, strict=True)
        ]
        return [compared(file, parity) for file in files]


def _typed(part: Part, precision: str) -> dict[str, Tensor]:
    """float16, but for what needs float32."""
    exact = part.examples if precision == "fp32" else part.exact_inputs()
    return {name: tensor if name in exact else tensor.half() for name, tensor in part.examples.items()}


def _run(part: Part, packages: Sequence[Path]) -> Run:
    programs = [CoreMLProgram(path) for path in packages]

    def run(own: Mapping[str, Tensor]) -> Sequence[Tensor]:
        return part.own_outputs(_outputs(programs, part, part.given(own)), own)

    return run


def _outputs(programs: Sequence[CoreMLProgram], part: Part, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """Of the programs one after the other, each given what came before."""
    known = dict(inputs)
    for program in programs:
        known |= program(known)
    return [known[name] for name in part.outputs]


def _ports(described: Mapping[str, tuple[str, tuple[int, ...]]]) -> tuple[Port, ...]:
    return tuple(Port(name=name, shape=shape, dtype=dtype) for name, (dtype, shape) in described.items())


COREML = CoreML()
