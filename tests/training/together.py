"""What each of several processes does in `test_processes`: train, and go on from the state that the first one saved.

``python -m tests.training.together ARCHITECTURE FOLDER``
"""

import sys
from pathlib import Path

from archlab.architecture import UNetSpec, load
from archlab.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from archlab.compute import device_of
from archlab.diffusion.configured import configured_process
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.training.examples import Examples
from archlab.training.lessons.teacher import TeacherLesson
from archlab.training.processes import Processes, launched
from archlab.training.settings import Distillation
from archlab.training.training import Training
from archlab.unet.untrained import untrained

STEPS, HALF, BATCH_SIZE = 8, 3, 8
SETTINGS = ProxySettings(data="digits", scale=Scale(width=1, sample_size=8), min_snr=5.0, device="cpu")


def begin(spec: UNetSpec, batch_size: int, processes: Processes) -> Training:
    """The training of a student that is narrower than its teacher, so that a convolution learns with it."""
    prepared = prepare_proxy(SETTINGS)
    examples = Examples(prepared, configured_process(SETTINGS, prepared.sample_size), batch_size, 0.3, processes)
    student, teacher = untrained(spec, 3), untrained(spec.with_channels((16, 24)), 4)
    lesson = TeacherLesson(student, teacher, Distillation(output=1, features=0.1), examples, seed=0)
    settings = SETTINGS.model_copy(update={"batch_size": batch_size})
    return Training(student, lesson, settings, steps=STEPS, seed=3, micro_batch=5, processes=processes)


def main(architecture: str, folder: Path) -> None:
    processes, spec = launched(device_of(SETTINGS)), load(architecture)
    through = begin(spec, BATCH_SIZE, processes)
    through.run(HALF)
    if processes.is_first:
        write_checkpoint(folder / "state", "", Checkpoint(through.state(), {}))
    processes.wait()
    through.run(STEPS)
    state = read_checkpoint(folder / "state", "")
    assert state is not None
    again = begin(spec, BATCH_SIZE, processes)
    again.load_state(state.tensors)
    again.run(STEPS)
    ours, theirs = through.state(), again.state()
    facts = {
        "count": processes.count,
        "losses": [row.loss for row in through.curve],
        "other after resuming": [name for name in ours if name != "curve" and not ours[name].equal(theirs[name])],
        "resumed": [row.loss for row in again.curve],
    }
    write_checkpoint(folder / f"{processes.rank}", "", Checkpoint(ours, facts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
