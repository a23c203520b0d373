"""A training from its settings to a model's folder, stopped and killed on the way."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, RunFailed
from archlab.model import load_model
from archlab.model.train import train_model
from archlab.scores.validation import ValidationLoss
from tests.model.train.trainings import STEPS, Heard, StopAfter, begin_and_kill, in_child, killed, small, weights


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def same(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def test_a_training_leaves_a_model_with_its_curve_card_and_pictures(undisturbed: Path, prepared) -> None:  # type: ignore[no-untyped-def]
    model = load_model(undisturbed)
    assert [image.size for image in model.generate(["a handwritten three"], seeds=[0, 1])] == [(8, 8)] * 2
    facts = model.facts.training
    assert facts is not None
    assert (facts.steps, model.facts.data, model.facts.steps) == (STEPS, "digits", 2)
    assert facts.val_loss == pytest.approx(ValidationLoss(prepared, small())(model.unet), rel=1e-6)
    curve = rows(undisturbed)
    assert [int(row["step"]) for row in curve] == list(range(1, STEPS + 1))
    assert [row["step"] for row in curve if row["val_loss"]] == ["20", "30"]
    assert float(curve[-1]["val_loss"]) == facts.val_loss
    assert sorted(path.name for path in (undisturbed / "samples").iterdir()) == ["final.png", "step-000020.png"]
    card = json.loads((undisturbed / "card.json").read_text(encoding="utf-8"))
    assert (card["architecture"], card["data_id"]) == (model.spec.id, prepared.data.id)
    assert 'load_model("' in (undisturbed / "card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(int(os.environ.get("ARCHLAB_KILLS", "2"))))
def test_killed_at_random_moments_it_comes_to_the_same_weights(
    tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path, seed: int
) -> None:
    moments, out, kills = random.Random(seed), tmp_path / "model", 0
    while not killed(tiny_unet, small(), out, moments.uniform(0.05, 1.5)) and kills < 20:
        kills += 1
        assert (out / "archlab.json").exists() <= (out / "unet" / "config.json").exists()
    train_model(tiny_unet, small(), out)
    assert same(out, undisturbed)
    assert rows(out) == rows(undisturbed)


def test_after_ctrl_c_it_goes_on_at_the_very_step(tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path) -> None:
    settings = small(checkpoint_seconds=1e6)
    with pytest.raises(KeyboardInterrupt):
        train_model(tiny_unet, settings, tmp_path / "model", watchers=[StopAfter(7)])
    heard = Heard()
    train_model(tiny_unet, settings, tmp_path / "model", watchers=[heard])
    assert (heard.began_at, heard.steps) == ([7], list(range(8, STEPS + 1)))
    assert same(tmp_path / "model", undisturbed)


def test_a_finished_one_says_so_and_goes_on_with_more_steps(
    tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path
) -> None:
    out, heard = tmp_path / "model", Heard()
    shutil.copytree(undisturbed, out)
    before = (out / "archlab.json").stat().st_mtime_ns
    train_model(tiny_unet, small(), out, watchers=[heard])
    assert heard.notices == [f"{out} is finished, 30 steps: nothing to do"]
    assert (out / "archlab.json").stat().st_mtime_ns == before
    train_model(tiny_unet, small(steps=40), out, watchers=[heard])
    assert (heard.began_at, heard.steps) == ([30], list(range(31, 41)))
    train_model(tiny_unet, small(steps=40), tmp_path / "whole")
    assert same(out, tmp_path / "whole")


@pytest.fixture(scope="module")
def stopped(tiny_unet: UNetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was stopped at step 12, with checkpoints of two steps."""
    out = tmp_path_factory.mktemp("stopped") / "model"
    for step in (9, 12):
        with pytest.raises(KeyboardInterrupt):
            train_model(tiny_unet, small(checkpoint_seconds=1e6), out, watchers=[StopAfter(step)])
    return out


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"learning_rate": 1e-3}, "learning_rate was 0.004 when it began and is 0.001 now"),
        ({"min_snr": 5}, "min_snr was absent when it began and is 5.0 now"),
        ({"steps": 20}, "steps was 30 when it began and is 20 now"),
        ({"batch_size": 8}, "batch_size times the number of processes was 4 when it began and is 8 now"),
        ({"objective": "v"}, "objective was epsilon when it began and is v now"),
    ],
)
def test_it_does_not_go_on_with_other_settings(
    tiny_unet: UNetSpec, stopped: Path, changes: dict[str, object], why: str
) -> None:
    with pytest.raises(BadInput) as error:
        train_model(tiny_unet, small(**changes), stopped)
    mend = f"give --out another folder, or remove {stopped / 'state'} to begin anew"
    assert str(error.value) == f"{stopped} cannot go on: {why}; {mend}"


def test_it_does_not_go_on_with_another_architecture(small_unet: UNetSpec, stopped: Path) -> None:
    with pytest.raises(BadInput, match=rf"it began with the architecture \w+, not {small_unet.id}; give --out another"):
        train_model(small_unet, small(), stopped)


def test_it_does_not_go_on_when_its_data_have_changed(tiny_unet: UNetSpec, tmp_path: Path, digits) -> None:  # type: ignore[no-untyped-def]
    from archlab.model.model import picture

    data, out = tmp_path / "images", tmp_path / "model"
    data.mkdir()
    for index in range(12):
        picture(digits.images[index]).save(data / f"{index}.png")
        (data / f"{index}.txt").write_text(digits.captions[index], encoding="utf-8")
    begin_and_kill(tiny_unet, small(data=str(data)), out)
    (data / "3.txt").write_text("a handwritten eight", encoding="utf-8")
    with pytest.raises(BadInput, match=f"the data {data} have changed since it began; give --out another folder"):
        train_model(tiny_unet, small(data=str(data)), out)


def test_of_a_damaged_checkpoint_the_one_before_is_taken(
    tiny_unet: UNetSpec, undisturbed: Path, stopped: Path, tmp_path: Path
) -> None:
    out, heard = tmp_path / "model", Heard()
    shutil.copytree(stopped, out)
    first, last = sorted((out / "state").glob("step-*"))
    last.write_bytes(last.read_bytes()[:-9])
    train_model(tiny_unet, small(), out, watchers=[heard])
    assert heard.notices == [f"{last} is damaged: going on from the one before, at step 9"]
    assert same(out, undisturbed)
    assert first.name == "step-000009.safetensors"


@pytest.mark.parametrize("damage", ["checkpoints", "record", "no record"])
def test_what_cannot_be_read_is_not_begun_anew(tiny_unet: UNetSpec, stopped: Path, tmp_path: Path, damage: str) -> None:
    out = tmp_path / "model"
    shutil.copytree(stopped, out)
    match damage:
        case "checkpoints":
            for path in (out / "state").glob("step-*"):
                path.write_bytes(b"")
        case "record":
            (out / "state" / "training.json").write_text("{", encoding="utf-8")
        case "no record":
            (out / "state" / "training.json").unlink()
    with pytest.raises(BadInput, match=rf"; give --out another folder, or remove {out}/state to begin anew$"):
        train_model(tiny_unet, small(), out)
    shutil.rmtree(out / "state")
    heard = Heard()
    train_model(tiny_unet, small(steps=2), out, watchers=[heard])  # what is said to help does
    assert heard.began_at == [0]


def test_a_folder_of_something_else_is_left_alone(tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match="is not empty and no training of archlab's; give --out another folder"):
        train_model(tiny_unet, small(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    model = tmp_path / "model"
    shutil.copytree(undisturbed, model)
    shutil.rmtree(model / "state")
    with pytest.raises(BadInput, match="is finished, without state/ to go on from"):
        train_model(tiny_unet, small(steps=99), model)


def test_a_second_run_in_the_same_folder_is_refused(tiny_unet: UNetSpec, tmp_path: Path) -> None:
    out = tmp_path / "model"
    child = in_child(lambda: train_model(tiny_unet, small(steps=100_000), out))
    try:
        while not list(out.glob("state/step-*")):
            time.sleep(0.01)
        with pytest.raises(BadInput, match=rf"^{out} is in use by another archlab run; wait for it or stop it$"):
            train_model(tiny_unet, small(steps=100_000), out)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a few checkpoints."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("a small disk takes the rights to mount one")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_disk_what_was_written_is_kept_and_goes_on(
    tiny_unet: UNetSpec, undisturbed: Path, small_disk: Path
) -> None:
    out, patient = small_disk / "model", small(checkpoint_seconds=1e6)
    with pytest.raises(KeyboardInterrupt):
        train_model(tiny_unet, patient, out, watchers=[StopAfter(5)])
    filler = small_disk / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], capture_output=True)
    with pytest.raises(RunFailed, match=r"model: the disk is full; its state at step 5 is kept; free some of it"):
        train_model(tiny_unet, patient, out)
    filler.unlink()
    heard = Heard()
    train_model(tiny_unet, patient, out, watchers=[heard])
    assert heard.began_at == [5]
    assert same(out, undisturbed)


def test_cuda_that_is_not_there_is_said_before_anything_is_written(tiny_unet: UNetSpec, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BadInput, match="device: no GPU with CUDA is found; take cpu or auto"):
        train_model(tiny_unet, small(device="cuda"), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_softmax_relu_is_finetuned_and_deployed_with_relu(tiny_unet: UNetSpec, tmp_path: Path) -> None:
    from archlab.architecture.spec import map_transformers

    spec = map_transformers(tiny_unet, lambda t, _: replace(t, attention_normalizer="softmax->relu"))
    out = train_model(spec, small(steps=4), tmp_path / "model")
    assert load_model(out).spec == spec.deployed
