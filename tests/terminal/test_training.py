"""What a training prints where there is no terminal."""

import io
import re
from pathlib import Path

from rich.console import Console

from archlab.model.settings import ModelSettings
from archlab.model.train.curve import Point
from archlab.model.train.watcher import Start
from archlab.terminal.training import TrainingDisplay


def test_plain_lines_have_losses_speed_and_time_left() -> None:
    output = io.StringIO()
    begun = Start(
        folder=Path("models/knee"),
        uid="u",
        settings=ModelSettings(data="digits", steps=300),
        steps=300,
        architecture="a",
        params=2_940_000,
        images_per_step=64,
        prompt="a handwritten seven",
        curve=[Point(step, 1.0, 0.75 if step == 100 else None, 2e-3, step / 4) for step in range(1, 101)],
    )
    with TrainingDisplay(Console(file=output)) as display:
        display.making_ready("encode", 0.0)
        display.making_ready("encode", 1.0)
        display.training_started(begun)
        for step in range(101, 201):
            display.stepped([Point(step, 0.5, None, 2e-3, step / 4)])
        display.validated(Point(200, 0.5, 0.25, 2e-3, 50))
        display.drawn(200, Path("models/knee/samples/step-000200.png"))
        display.notice("something [odd]")
        display.training_finished(Path("models/knee"))
    lines = [line.split(" ", 1)[1] for line in output.getvalue().splitlines()]
    assert lines[:2] == [
        "encoding images and captions",
        "knee: 2.94 M params, going on after 100 of 300 steps of 64 images",
    ]
    assert re.fullmatch(r"step 200: loss 0\.5, val_loss 0\.25, 256 images/s, about 0 s left", lines[2])
    assert lines[3:5] == ["step 200: models/knee/samples/step-000200.png", "something [odd]"]
    assert re.fullmatch(r"models/knee is finished, in \d+ s", lines[5])
