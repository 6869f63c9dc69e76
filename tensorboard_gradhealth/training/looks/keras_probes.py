"""Looks beside a few steps of a Keras model: at the loss of a step's batch around the step.

A look computes that loss by functions of its own, which change nothing. What it costs is bounded
by how seldom it is made.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Protocol

import keras

from tensorboard_gradhealth.signals._base import Phase
from tensorboard_gradhealth.training.arguments import Probing
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.looks.batch_tap import BatchTap
from tensorboard_gradhealth.training.looks.cadence import Cadence, ShareCadence, StepCadence
from tensorboard_gradhealth.training.looks.curvature_look import CurvatureLook
from tensorboard_gradhealth.training.looks.gradient_halves import GradientHalves
from tensorboard_gradhealth.training.looks.step_trial import StepTrial

CURVATURE_FROM = 20
"""First step whose curvature is looked at: the very first steps are not typical."""


class Look(Protocol):
    """Something that looks at the batch of a step before and after it is taken."""

    def before(self, batch: Any) -> None:
        """Called with the batch, as the training step takes it."""

    def after(self) -> None:
        """Called when the step was taken."""


class KerasProbes:
    """Looks at steps of `model`, from the `step`-th on.

    Args:
      model: Hooked, so that `recorder` knows the step that was taken.
      session: Takes what is found.
      instrument: Knows what was asked for.
      recorder: Of the model's steps.
      guard: Told of what cannot be measured.
      probing: How to look at the curvature.
      step: The step that training goes on with.
    """

    def __init__(
        self,
        model: keras.Model,
        session: Session,
        instrument: Instrument,
        recorder: StepRecorder,
        guard: Guard,
        probing: Probing,
        step: int,
    ) -> None:
        self._model = model
        self._traced = _traced(model)
        self._tap = BatchTap(model)
        self._instrument = instrument
        self._guard = guard
        self._planned: dict[str, Cadence] = {}
        self._makers: dict[str, Callable[[], Look]] = {}
        self._looks: dict[str, Look] = {}
        self._now: list[str] = []
        self._seconds = 0.0
        self._step = step
        share = ShareCadence(probing.max_share, step + CURVATURE_FROM)
        self._plan("step_overshoot", "trial", StepCadence(step), StepTrial, session, recorder)
        self._plan("gradient noise", "halves", StepCadence(step), GradientHalves, session, recorder)
        self._plan("curvature", "curvature", share, CurvatureLook, session, probing)

    def _plan(
        self, name: str, phase: Phase, cadence: Cadence, look: Callable[..., Look], *arguments: Any
    ) -> None:
        if self._instrument.wants(phase):
            self._planned[name] = cadence
            self._makers[name] = functools.partial(look, self._model, *arguments)
            if self._model.built:
                self._make(name)  # at once, so that what cannot be done is said at once

    def _make(self, name: str) -> None:
        with self._guard.protect(name):
            self._tap.need_single_steps()
            self._looks[name] = self._makers[name]()
        self._forget_failed()

    def fits(self, model: keras.Model) -> bool:
        """Whether another fit of `model` can go on with what was traced for this one."""
        return model is self._model and _traced(model) == self._traced

    def due(self, step: int) -> bool:
        """Whether there is something to look at in the `step`-th step."""
        return any(cadence.due(step) for cadence in self._planned.values())

    def attach(self, step: int) -> None:
        """Looks at the next step, which is the `step`-th."""
        self._step = step
        self._now = [name for name, cadence in self._planned.items() if cadence.due(step)]
        for name in self._planned.keys() - self._looks.keys():
            self._make(name)
        self._tap.catch(self._before, self._after)

    def trained(self, seconds: float) -> None:
        """Says how long steps took, looks included."""
        for cadence in self._planned.values():
            cadence.trained(seconds - self._seconds)
        self._seconds = 0.0

    def _before(self, batch: Any) -> None:
        for name in self._now:
            with self._guard.protect(name):
                self._looks[name].before(batch)
        self._forget_failed()

    def _after(self) -> None:
        for name in self._now:
            started = time.perf_counter()
            with self._guard.protect(name):
                self._looks[name].after()
            seconds = time.perf_counter() - started
            self._seconds += seconds
            self._planned[name].looked(self._step, seconds)
        self._forget_failed()

    def _forget_failed(self) -> None:
        """Takes out what cannot do its work."""
        for name in self._guard.reports.keys() & self._planned.keys():
            del self._planned[name]
        self._now = [name for name in self._now if name in self._planned]


def _traced(model: keras.Model) -> list[int]:
    """Returns the identities of what the looks have in their traces: what is trained, and how."""
    return [id(each) for each in (model.optimizer, *model.trainable_variables)]
