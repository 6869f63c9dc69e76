"""Trains a model twice, with and without the observer, and compares the weights byte by byte.

A program of its own, because op determinism cannot be switched off again in a process.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import keras
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tests.training import courses, models
from tests.training.everywhere import cases
from tests.training.unmeasured import unmeasured


def final_weights(name: str, observed: bool, epochs: int, **options: object) -> bytes:
    """Returns every weight of `name` after training, BatchNorm statistics and seeds included."""
    keras.backend.clear_session()
    model = models.compiled(name, **options)
    # Whole batches: TensorFlow folds more where it knows their size.
    x, y = models.data(240)
    with tempfile.TemporaryDirectory() as log_dir:
        callbacks = (
            [gradhealth.HealthCallback(log_dir, preset="full", verbose=0)] if observed else []
        )
        model.fit(x, y, epochs=epochs, batch_size=48, verbose=0, callbacks=callbacks)
        for callback in callbacks:
            assert not unmeasured(callback._guard.reports), callback._guard.reports
    seeds = [v for v in model.variables if "seed" in v.path]
    optimizer = [v for v in model.optimizer.variables if "learning_rate" not in v.path]
    values = [v.numpy().tobytes() for v in [*model.weights, *seeds, *optimizer]]
    return b"".join(values)


def case_weights(case: cases.Case, observed: bool) -> bytes:
    """Returns every weight of a case after two epochs, those of its optimizers included."""
    keras.backend.clear_session()
    model = case.make()
    x, y = case.data()
    with tempfile.TemporaryDirectory() as log_dir:
        callbacks = (
            [gradhealth.HealthCallback(log_dir, preset="full", verbose=0)] if observed else []
        )
        model.fit(x, y, epochs=2, batch_size=cases.BATCH, verbose=0, callbacks=callbacks)
    optimizers = [v for v in vars(model).values() if isinstance(v, keras.optimizers.Optimizer)]
    states = [variable for optimizer in optimizers for variable in optimizer.variables]
    return b"".join(variable.numpy().tobytes() for variable in [*model.variables, *states])


def main_of_cases() -> int:
    """Compares the models, precisions and optimizers of `tests.training.everywhere`."""
    different = []
    for name, case in {**cases.CASES, "two optimizers": cases.GAN}.items():
        same = case_weights(case, False) == case_weights(case, True)
        print(f"{name}: {'identical' if same else 'DIFFERENT'}", flush=True)
        if not same:
            different.append(name)
    return 1 if different else 0


def course_weights(course: courses.Course, observed: bool) -> bytes:
    """Returns every weight at the end of a course of fits, those of the optimizer included."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as log_dir:
        model = course([gradhealth.HealthCallback(log_dir, verbose=0)] if observed else [])
    return b"".join(v.numpy().tobytes() for v in [*model.variables, *model.optimizer.variables])


def main_of_courses() -> int:
    """Compares fits that are interrupted, changed on the way, or come one after the other."""
    different = []
    for name, course in courses.COURSES.items():
        same = course_weights(course, False) == course_weights(course, True)
        print(f"{name}: {'identical' if same else 'DIFFERENT'}", flush=True)
        if not same:
            different.append(name)
    return 1 if different else 0


def main() -> int:
    """Compares the models of `tests.training.models` in every mode."""
    # Twelve epochs are 60 steps: past the first ones, which are measured in full, into those of
    # which most are measured by a train function of their own.
    modes: dict[str, dict[str, Any]] = {
        "graph": {"epochs": 12},
        "eager": {"epochs": 2, "run_eagerly": True},
        "8 steps per execution": {"epochs": 12, "steps_per_execution": 8},
    }
    different = []
    for name in models.MODELS:
        for mode, options in modes.items():
            same = final_weights(name, False, **options) == final_weights(name, True, **options)
            print(f"{name}, {mode}: {'identical' if same else 'DIFFERENT'}", flush=True)
            if not same:
                different.append((name, mode))
    return 1 if different else 0


if __name__ == "__main__":
    tf.config.experimental.enable_op_determinism()
    mains = {"everywhere": main_of_cases, "courses": main_of_courses}
    sys.exit(mains[sys.argv[1]]() if sys.argv[1:] else main())
