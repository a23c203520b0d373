"""The lesson ``teacher``: images, and what a trained teacher makes of them (BK-SDM, arXiv 2305.15798, §3.2)."""

from torch import Tensor, nn

from archlab.diffusion.process import NoisyBatch
from archlab.training.examples import Examples
from archlab.training.imitation import Imitation
from archlab.training.lessons.denoising import Denoising, channels_last
from archlab.training.lessons.lesson import Materials
from archlab.training.settings import Distillation, LessonSettings
from archlab.unet import UNet


def teacher(materials: Materials) -> "TeacherLesson":
    """A teacher and the weights of what is learnt from it are needed."""
    taught_by, weights = materials.taught_by(), materials.settings_of(LessonSettings).distill
    if weights is None:
        raise ValueError("the lesson needs the weights of what is learnt from the teacher")
    return TeacherLesson(materials.network, taught_by, weights, materials.examples, materials.seed)


class TeacherLesson(Denoising):
    """The denoising loss, and that the student answers what its teacher answers.

    Args:
        student: on the device on which it is trained.
        teacher: copied to there.
        weights: of the teacher's parts of the loss.
        seed: of what makes features as wide as the teacher's.
    """

    def __init__(self, student: UNet, teacher: UNet, weights: Distillation, examples: Examples, seed: int) -> None:
        super().__init__(student, examples)
        self._imitation = Imitation(student, teacher, weights, seed)

    @property
    def modules(self) -> nn.Module:
        """What makes features as wide as the teacher's; nothing to learn where they are."""
        return self._imitation.modules

    def losses(self, batch: NoisyBatch) -> Tensor:
        """The denoising loss, and the weighted squared errors against the teacher's output and features: [B]."""
        answer, apart = self._imitation(channels_last(batch.noisy), batch.timesteps, batch.context)
        return self.own_losses(batch, answer) + apart
