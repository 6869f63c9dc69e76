"""What the short examples of README and docs take for granted: data, a model, its training step.

Tutorials bring all that themselves.
"""

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth import HealthCallback, HealthMonitor  # noqa: F401
from tensorboard_gradhealth.actions import StopTraining  # noqa: F401

keras.utils.set_random_seed(0)
x = np.random.normal(size=(512, 8)).astype("float32")
y = x[:, :1] - x[:, 1:2]
model = keras.Sequential(
    [keras.Input((8,)), keras.layers.Dense(8, "relu", name="hidden"), keras.layers.Dense(1)]
)
model.compile("adam", "mean_squared_error")
model.fit(x, y, verbose=0, callbacks=[gradhealth.HealthCallback("logs/run1", verbose=0)])

optimizer = keras.optimizers.Adam(0.01)
data = [(tf.constant(x[i : i + 64]), tf.constant(y[i : i + 64])) for i in range(0, 512, 64)]


def train_step(x: Any, y: Any) -> Any:
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(keras.losses.mean_squared_error(y, model(x, training=True)))
    optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
    return value


def loss_fn(x: Any, y: Any) -> Any:
    return tf.reduce_mean(tf.square(y - model(x)))


step, steps, loss, validation_loss = 0, 3, 0.5, 0.5
variables = [variable.value for variable in model.trainable_variables]
weights_before = [tf.identity(variable) for variable in variables]
gradients: Any = [tf.ones_like(variable) for variable in variables]
hidden_inputs = z = model.layers[0](x[:64])
hidden: Any = tf.nn.relu(z)
weights: Any = {variable.path: variable.numpy() for variable in model.trainable_variables}


class SummaryWriter:
    """Stands for that of PyTorch. From here on, what there are lists of is there by name."""

    def __init__(self, log_dir: str) -> None:
        self._file = EventFileWriter(log_dir)
        self.file_writer = self
        arrays = {name: np.ones_like(value) for name, value in weights.items()}
        named = {
            "gradients": arrays,
            "weights_before": weights,
            "hidden": {"hidden": np.ones((4, 8))},
        }
        globals().update(named, weights=arrays)

    def add_summary(self, summary: Any, step: int) -> None:
        self._file.add_event(Event(step=step, summary=summary))


torch = SimpleNamespace(
    utils=SimpleNamespace(tensorboard=SimpleNamespace(SummaryWriter=SummaryWriter))
)

START = dict(globals())
