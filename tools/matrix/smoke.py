"""A program of its own: tries the installed package once over, from outside the source tree.

`python smoke.py FOLDER` logs below the folder and prints, as the last line, one JSON object:
`versions` of what is installed, and for each of `checks` "" or what went wrong. What needs
TensorFlow is left out where there is none.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import tensorboard_gradhealth as gradhealth

PACKAGES = ("tensorflow-cpu", "keras", "tensorboard", "numpy", "protobuf")
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
SICK = "learning_rate_too_high"


def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(640, 8)).astype("float32")
    return x, (x @ random.normal(size=(8, 1)) > 0).astype("float32")


def network(**compiled: Any) -> Any:
    """Returns a small network that learns far too fast."""
    import keras

    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(32, activation="relu", name=f"hidden{i}") for i in (1, 2)]
    output = keras.layers.Dense(1, activation="sigmoid", name="output")
    model = keras.Sequential([keras.Input((8,)), *hidden, output])
    model.compile(keras.optimizers.Adam(1.0), "binary_crossentropy", **compiled)
    return model


def fitted(folder: Path, preset: str, **compiled: Any) -> set[str]:
    """Trains with and without the callback: the same weights, and one finding known beforehand.

    Returns:
      The names of the signals in the log.
    """
    plain, watched = network(**compiled), network(**compiled)
    callback = gradhealth.HealthCallback(folder, preset=preset, verbose=0)
    options = {"epochs": 3, "verbose": 0, "shuffle": False}
    plain.fit(*data(), **options)
    watched.fit(*data(), **options, callbacks=[callback])
    told(folder, [finding.rule for finding in callback.findings])
    for with_it, without in zip(watched.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(with_it, without)
    return logged(folder)


def told(folder: Path, rules: list[str]) -> None:
    """What was found while it trained is what the log says, and it is what is wrong."""
    assert SICK in rules, f"found {rules}"
    assert [finding.rule for finding in gradhealth.diagnose(folder)] == rules


def logged(folder: Path) -> set[str]:
    from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir

    reader = RunReader(open_log_dir(folder), None, "", ".")
    return {name for record in reader.records() for name in record.signals}


def arrays(folder: Path) -> None:
    """Summaries made of arrays, by TensorBoard's own writer, and judged when they are read."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    assert "tensorflow" not in sys.modules, "something imports TensorFlow"
    writer, pb = EventFileWriter(str(folder)), gradhealth.summary
    before = {"dense/kernel": np.ones((8, 4))}
    writer.add_event(Event(step=0, wall_time=0, summary=pb.layout_pb(variables=before)))
    for step in range(60):
        after = {name: value * -3 for name, value in before.items()}
        for summary in (
            pb.gradients_pb(before),
            pb.updates_pb(after, before=before),
            pb.training_pb(loss=0.7, learning_rate=1.0),
        ):
            writer.add_event(Event(step=step, wall_time=step, summary=summary))
        before = {name: np.sign(value) for name, value in after.items()}
    writer.close()
    told(folder, [finding.rule for finding in gradhealth.diagnose(folder)])


def fit_in_graph(folder: Path) -> None:
    assert "dead_fraction" in fitted(folder, "standard", jit_compile=False)


def fit_compiled(folder: Path) -> None:
    assert "dead_fraction" in fitted(folder, "standard", jit_compile=True)


def fit_eager(folder: Path) -> None:
    assert "dead_fraction" in fitted(folder, "standard", run_eagerly=True)


def fit_many_at_once(folder: Path) -> None:
    """Several steps in each call of TensorFlow; the 20 of an epoch are a multiple of them.

    Keras before 3.7 stops within a call where the data end, and which weights it has by then is up
    to chance.
    """
    assert "dead_fraction" in fitted(folder, "standard", steps_per_execution=4, jit_compile=False)


def fit_full(folder: Path) -> None:
    names = fitted(folder, "full", jit_compile=False)
    assert {"hessian_top_eigenvalue", "gradient_noise_scale", "update_cosine"} <= names, names


def fit_mixed(folder: Path) -> None:
    """Half precision with a scaled loss."""
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert "skipped_steps" in fitted(folder, "standard", jit_compile=False)
    finally:
        keras.config.set_dtype_policy("float32")


def custom_loop(folder: Path, jit_compile: bool = False) -> None:
    """A step of one's own under the monitor."""
    import keras
    import tensorflow as tf

    model = network()
    optimizer, loss_of = model.optimizer, keras.losses.BinaryCrossentropy()

    @tf.function(jit_compile=jit_compile)
    def train_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    x, y = data()
    with gradhealth.HealthMonitor(folder, model=model, optimizer=optimizer, verbose=0) as monitor:
        for start in range(0, 640, 16):
            monitor.step(train_step, tf.constant(x[start:][:16]), tf.constant(y[start:][:16]))
    told(folder, [finding.rule for finding in monitor.findings])


def custom_loop_compiled(folder: Path) -> None:
    custom_loop(folder, jit_compile=True)


def summaries(folder: Path) -> None:
    """The calls that go through TensorFlow's writer, in a traced function."""
    import tensorflow as tf

    kernel, writer = tf.Variable(tf.ones((8, 4))), tf.summary.create_file_writer(str(folder))

    @tf.function
    def train_step(step: Any) -> None:
        with writer.as_default(step=step):
            before = [tf.identity(kernel)]
            gradhealth.summary.gradients([tf.ones((8, 4))], [kernel])
            kernel.assign(tf.sign(kernel) * -3.0)
            gradhealth.summary.updates([kernel], before=before)
            gradhealth.summary.training(loss=0.7, learning_rate=1.0)

    for step in range(60):
        train_step(tf.constant(step, tf.int64))
    writer.close()
    told(folder, [finding.rule for finding in gradhealth.diagnose(folder)])


CHECKS: tuple[Callable[[Path], None], ...] = (
    arrays,  # first: while TensorFlow is not imported
    fit_in_graph,
    fit_compiled,
    fit_eager,
    fit_many_at_once,
    fit_full,
    fit_mixed,
    custom_loop,
    custom_loop_compiled,
    summaries,
)


def outcome(check: Callable[[Path], None], folder: Path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Gradient Health cannot measure")
            check(folder / check.__name__)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
    return ""


def installed() -> dict[str, str]:
    known = {
        item.metadata["Name"].replace("_", "-"): item.version for item in metadata.distributions()
    }
    return {name: known.get(name, "") for name in PACKAGES}


def main(folder: Path) -> None:
    results = {}
    for check in CHECKS if HAS_TENSORFLOW else CHECKS[:1]:
        if check is CHECKS[1]:
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()
        results[check.__name__] = outcome(check, folder)
    print(json.dumps({"versions": installed(), "checks": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
