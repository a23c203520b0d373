"""How a network is trained, and what it learns from: sections of a YAML."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from archlab.section import Amount, Count, Section, refuse_bool

Share = Annotated[float, Field(gt=0, le=1)]


class TrainingSettings(Section):
    """The optimiser's steps. All of it decides a training."""

    batch_size: Count = 16
    learning_rate: Amount = 2e-3
    warmup_steps: Annotated[int, BeforeValidator(refuse_bool), Field(ge=0, lt=2**63)] = 0  # to the full learning rate
    decay: Literal["constant", "linear", "cosine"] = "constant"  # of the learning rate, to 0 at the last step
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16 on CUDA only
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    finetune_share: Share = 0.2  # last steps of softmax->relu, run with relu


class Distillation(Section):
    """Weights of what a network learns from a teacher, added to its own loss (BK-SDM, arXiv 2305.15798)."""

    output: Annotated[float, Field(ge=0)] = 1.0
    features: Annotated[float, Field(ge=0)] = 0.0  # of every stage


class LessonSettings(Section):
    """What a network learns from beside images. All of it decides a training."""

    distill: Distillation | None = None  # from a trained baseline

    @property
    def lesson(self) -> str:
        """The lesson's name."""
        return "denoising" if self.distill is None else "teacher"


class GuidanceDistillation(Section):
    """What a network learns of a guided teacher (arXiv 2210.03142, stage 1), so that it has one pass a step."""

    guidance: Amount = 2.0  # of the teacher; where it is an input of the network: the least one
    most_guidance: Amount | None = None  # where it is an input of the network: drawn between the two


class ProgressiveDistillation(GuidanceDistillation):
    """A halving: one step of the network makes two of its teacher (arXiv 2202.00512)."""

    steps: Count  # of the network; the teacher takes twice as many


class AdversarialSettings(Section):
    """How a discriminator of noisy latents teaches a generator (UFOGen, arXiv 2311.09257)."""

    learning_rate_share: Share = 0.2  # of the learning rate, for the generator
    gap: Share = 0.25  # how much less noise the discriminator sees, of the whole path
    reconstruction: Annotated[float, Field(ge=0)] = 1.0  # weight of min(SNR, most_snr) · ‖x̂ − x‖²
    most_snr: Amount = 5.0
    clamp: Amount = 0.5  # logits beyond it teach nothing
    discriminator_every: Count = 2  # steps
    discriminator_learning_rate: Amount | None = None  # constant; absent: that with which the generator begins


class AdversarialDistillation(AdversarialSettings):
    """A generator and a discriminator."""

    discriminator_learning_rate: Amount


class SecondNetworkSettings(Section):
    """How what a generator draws is learnt by a second network, and what that one teaches (DMD2, arXiv 2405.14867)."""

    learning_rate_share: Share = 0.2  # of the learning rate, for the generator
    fake_updates: Count = 3  # of the second network in each step
    fake_learning_rate: Amount | None = None  # constant; absent: that with which the generator begins
    adversarial: Annotated[float, Field(ge=0)] = 1e-3  # weight of the discriminator's part of the generator's loss
    discriminator: Annotated[float, Field(ge=0)] = 1e-2  # weight of the second network's loss as a discriminator
    imitation: Distillation | None = None  # of a teacher with as few steps (K-DMD of SnapGen++, for small networks)


class DistributionMatching(SecondNetworkSettings):
    """A generator whose images a second network learns to denoise."""

    steps: Count  # of the generator
    guidance: Amount = 2.0  # of the teacher
    fake_learning_rate: Amount
