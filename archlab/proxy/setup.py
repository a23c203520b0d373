"""What all training runs of one proxy share: data, scorer, sampler, and the baseline that they begin with."""

from functools import cached_property
from typing import Any

from archlab.architecture import UNetSpec
from archlab.checkpoint import CHECKPOINT_SECONDS
from archlab.data.pictures import shown_prompts
from archlab.diffusion.process import AT_ONCE
from archlab.errors import BadInput
from archlab.progress import Progress
from archlab.proxy.cache import training_id
from archlab.proxy.inherited import heir, needs_baseline, trained_baseline, what_is_inherited
from archlab.proxy.parts import prepare_proxy, proxy_scorer, text_to_image
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training, examples
from archlab.training.device import training_device
from archlab.training.training import Training
from archlab.unet import UNet


class ProxySetup:
    """What the proxy ``spec`` is trained on and judged by.

    Attributes:
        device: where it is trained.
        checkpoint_seconds: how often a run's state is written between rungs.
        shown: prompts of the images that are written to be looked at.

    Args:
        baseline: its proxy, where the settings need one.

    Raises:
        BadInput: they need one and it is absent; or see `prepare` and `training_device`.
    """

    def __init__(
        self,
        spec: UNetSpec,
        settings: ProxySettings,
        micro_batch: int,
        baseline: UNetSpec | None,
        report: Progress,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        if needs_baseline(settings) and baseline is None:
            raise BadInput("proxy: init: inherit and distill need a baseline, and there is none")
        self.spec, self.settings, self.micro_batch = spec, settings, micro_batch
        self.device = training_device(settings, settings)
        self.prepared = prepare_proxy(settings, report)
        at_once = min(AT_ONCE, micro_batch) if micro_batch < settings.batch_size else AT_ONCE
        self.scorer = proxy_scorer(self.prepared, settings, at_once, report)
        self.draw = text_to_image(self.prepared, settings, at_once)
        self.shown = shown_prompts(self.scorer.prompts)
        self._baseline = baseline if needs_baseline(settings) else None
        self._report, self.checkpoint_seconds = report, checkpoint_seconds

    @property
    def last_rung(self) -> int:
        """Optimiser steps of a run that is not stopped."""
        return self.settings.rungs[-1]

    @property
    def baseline_id(self) -> str | None:
        """Content hash of the baseline's proxy, where the settings need one."""
        return None if self._baseline is None else self._baseline.id

    def identity(self, seed: int) -> str:
        """Of what decides that seed's training and its scores."""
        given = f"{self.prepared.id}-{self.scorer.id}"
        return training_id(self.spec, self.settings, given, seed, self.device.type, self.baseline_id)

    def share_drawn(self, rung: int, share: float) -> float:
        """How much of a run's drawing is done with this share of a rung's: it draws at every rung, or at the last."""
        rungs = self.settings.rungs if self.scorer.draws_at_rungs else (self.last_rung,)
        return (rungs.index(rung) + share) / len(rungs)

    def training(self, seed: int) -> tuple[Training, dict[str, Any] | None]:
        """That seed's training before its first step, and what it has inherited, if anything."""
        start = None
        if self._parent is not None and self.settings.init == "inherit":
            start = heir(self._parent, self.spec, examples(self.prepared, self.settings), seed)
        training = begin_training(
            self.spec,
            self.prepared,
            self.settings,
            seed=seed,
            start=start,
            teacher=self._parent,
            micro_batch=self.micro_batch,
        )
        return training, None if start is None else what_is_inherited(start)

    @cached_property
    def _parent(self) -> UNet | None:
        if self._baseline is None:
            return None
        return trained_baseline(
            self._baseline,
            self.prepared,
            self.settings,
            self.micro_batch,
            lambda share: self._report("train the baseline", share),
            self.checkpoint_seconds,
        )
