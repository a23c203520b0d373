"""A training's run of W&B: whole however often the training went on, and never in its way."""

from pathlib import Path

import pytest
from PIL import Image

from archlab.model.settings import ModelSettings
from archlab.model.train.curve import Point
from archlab.model.train.watcher import Start
from archlab.tracking.training import TrainingMirror
from archlab.tracking.wandb_run import Patience
from tests.tracking.read_back import kept_runs
from tests.tracking.stand_in import StandIn


def point(step: int) -> Point:
    return Point(step, 1 / step, 0.5 if step % 10 == 0 else None, 2e-3, step / 8)


def start(folder: Path, done: int) -> Start:
    return Start(
        folder=folder,
        uid="u",
        settings=ModelSettings(data="digits"),
        steps=1000,
        architecture="aaaaaaaaaaaa",
        params=7,
        images_per_step=64,
        prompt="a handwritten seven",
        curve=[point(step) for step in range(1, done + 1)],
    )


def mirrored(mirror: TrainingMirror, folder: Path, done: int, until: int) -> None:
    """A run of a training from one step to another, with a picture at its end."""
    with mirror:
        mirror.training_started(start(folder, done))
        for step in range(done + 1, until + 1):
            mirror.stepped([point(step)._replace(val_loss=None)])
            if point(step).val_loss is not None:
                mirror.validated(point(step))
        picture = folder / "samples" / f"step-{until:06}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(picture)
        mirror.drawn(until, picture)


def test_online_a_training_that_goes_on_goes_to_the_same_run(server: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "knee"
    mirrored(TrainingMirror("online"), folder, 0, 12)
    mirrored(TrainingMirror("online"), folder, 8, 20)  # killed at 12, the last checkpoint was at 8
    [run] = server.runs.values()
    assert (run.variables["displayName"], run.variables["jobType"]) == ("knee", "training")
    assert run.config["architecture"] == "aaaaaaaaaaaa"
    assert run.config["batch_size"] == 64
    assert [line["_step"] for line in run.history] == list(range(1, 21))
    assert [line["train/loss"] for line in run.history] == pytest.approx([1 / step for step in range(1, 21)])
    assert {line["_step"]: line["val_loss"] for line in run.history if "val_loss" in line} == {10: 0.5, 20: 0.5}
    assert [line["_step"] for line in run.history if "samples" in line] == [12, 20]


def test_offline_one_folder_holds_the_whole_training(tmp_path: Path) -> None:
    folder = tmp_path / "knee"
    mirrored(TrainingMirror("offline"), folder, 0, 12)
    mirror = TrainingMirror("offline")
    mirrored(mirror, folder, 15, 20)
    assert (mirror.remark, mirror.place) == (None, str(folder / "wandb"))
    [run] = kept_runs(folder)
    assert [line["_step"] for line in run.history] == list(range(1, 21))
    assert [line["_step"] for line in run.history if "samples" in line] == [12, 20]


def test_where_the_server_goes_away_the_run_is_kept_here(server: StandIn, tmp_path: Path) -> None:
    server.refuses = {"UpsertBucket"}
    mirror = TrainingMirror("online", Patience(begin=2, end=2))
    mirrored(mirror, tmp_path / "knee", 0, 5)
    assert mirror.remark is not None
    assert mirror.remark.endswith(f"the run is kept in {tmp_path / 'knee' / 'wandb'}; send it with `wandb sync`")
    [run] = [run for run in kept_runs(tmp_path / "knee") if run.is_offline]
    assert [line["_step"] for line in run.history] == [1, 2, 3, 4, 5]


def test_nothing_is_mirrored_of_a_training_that_has_nothing_to_do(tmp_path: Path) -> None:
    with TrainingMirror("offline") as mirror:
        mirror.notice("models/knee is finished")
    assert mirror.place is None
    assert list(tmp_path.iterdir()) == []
