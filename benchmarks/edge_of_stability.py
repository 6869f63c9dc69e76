"""Full-batch training until the sharpness stands at the edge of stability, and a figure of it.

As in Cohen et al. 2021 and 2022: gradient descent at three learning rates, heavy ball and Adam.
The task is 500 scanned digits of 8 x 8 pixels; three labels in ten are drawn anew, so that there
is something left to learn, and sharpness goes on rising, for thousands of steps.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from tensorboard_gradhealth.curvature import CurvatureProbe, StabilityLimit, keras_edge, keras_loss

STEPS = 4000
EVERY = 40
"""Steps between two probes."""

SETTLED = 2000
"""Step from which on sharpness is held against the limit."""

OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "gradient descent, η = 0.3": lambda: keras.optimizers.SGD(0.3),
    "gradient descent, η = 0.4": lambda: keras.optimizers.SGD(0.4),
    "gradient descent, η = 0.6": lambda: keras.optimizers.SGD(0.6),
    "heavy ball, η = 0.5, β = 0.9": lambda: keras.optimizers.SGD(0.5, momentum=0.9),
    "Adam, η = 0.002": lambda: keras.optimizers.Adam(0.002),
}


@dataclasses.dataclass(frozen=True)
class Training:
    """Sharpness, preconditioned for Adam, in the course of one training."""

    name: str
    limit: StabilityLimit
    steps: Sequence[int]
    sharpness: Sequence[float]
    losses: Sequence[float]

    @property
    def settled(self) -> np.ndarray:
        """Sharpness over its limit in the later part."""
        late = [s for step, s in zip(self.steps, self.sharpness, strict=True) if step >= SETTLED]
        return np.array(late) / self.limit.value


def train(name: str, last: int = STEPS) -> Training:
    """Trains with one optimizer for `last` steps and probes on the way."""
    model, batch = _model(OPTIMIZERS[name]()), _batch()
    probe = CurvatureProbe(keras_loss(model), trace_products=2)
    steps, sharpness, losses = list(range(EVERY, last + 1, EVERY)), [], []
    run = _trainer(model, batch)
    for _ in steps:
        run()
        edge = keras_edge(model.optimizer, model.trainable_variables)
        weights = [variable.value for variable in model.trainable_variables]
        found = probe.measure(weights, batch, preconditioner=edge.preconditioner)
        sharpness.append((found.preconditioned or found.top).value)
        losses.append(found.loss)
    assert edge.limit is not None
    return Training(name, edge.limit, steps, sharpness, losses)


def report(figure: Path | None) -> None:
    """Prints the table, and draws the figure if it has a path."""
    print("| optimizer | limit | last loss | sharpness / limit, median | lowest | highest |")
    print("|---|---|---|---|---|---|")
    trainings = []
    for name in OPTIMIZERS:
        training = train(name)
        trainings.append(training)
        settled = training.settled
        print(
            f"| {name} | {training.limit.name} = {training.limit.value:.4g} "
            f"| {training.losses[-1]:.4f} | {np.median(settled):.3f} "
            f"| {settled.min():.3f} | {settled.max():.3f} |",
            flush=True,
        )
    if figure is not None:
        figure.write_text(draw(trainings), encoding="utf-8")
        print(f"\nDrawn to {figure}")


def _model(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    keras.utils.set_random_seed(0)
    small = keras.initializers.VarianceScaling(0.5, "fan_avg", "uniform")
    hidden = [keras.layers.Dense(32, "tanh", kernel_initializer=small) for _ in range(3)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10)])
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    return model


def _batch() -> tuple[tf.Tensor, tf.Tensor]:
    images, digits = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    images, digits = images[:500], digits[:500].copy()
    wrong = random.random(500) < 0.3
    digits[wrong] = random.integers(0, 10, wrong.sum())
    images = (images - images.mean()) / images.std()
    return tf.constant(images, tf.float32), tf.one_hot(digits, 10)


def _trainer(model: keras.Model, batch: tuple[tf.Tensor, tf.Tensor]) -> Any:
    """Returns a function that takes `EVERY` steps on the whole batch."""
    x, y = batch

    @tf.function
    def run() -> None:
        for _ in tf.range(EVERY):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x, y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_weights)
            model.optimizer.apply(gradients, model.trainable_variables)

    return run


# The figure: two panels of lines, as SVG that follows the reader's light or dark mode.

WIDTH, HEIGHT, LEFT, TOP, GAP = 380, 250, 46, 44, 56
COLORS = ("#3b82f6", "#d97706", "#10a37f", "#c0559e", "#8b6fd8")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a }
.title { font-size: 13px; font-weight: 600; fill: #24292f }
.axis { stroke: #8c959f; stroke-width: 1; fill: none }
.line { stroke-width: 1.8; fill: none; stroke-linejoin: round }
.limit { stroke-width: 1.2; stroke-dasharray: 5 4; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #9ea7b3 } .title { fill: #e6edf3 } }
"""


def draw(trainings: Sequence[Training]) -> str:
    """Returns the figure."""
    descents = [t for t in trainings if t.name.startswith("gradient descent")]
    others = [t for t in trainings if t not in descents]
    left = [(t.name.partition(", ")[2], t.sharpness, t.limit.value) for t in descents]
    right = [
        (t.limit.name, list(np.array(t.sharpness) / t.limit.value), 1.0)
        for t in (descents[1], *others)
    ]
    colors = (COLORS[1], *COLORS[3:])
    panels = _panel(0, "Sharpness, and 2/η dashed", left, COLORS) + _panel(
        1, "Sharpness / limit of the optimizer", right, colors
    )
    width, height = 2 * (WIDTH + GAP) + LEFT, TOP + HEIGHT + 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Sharpness rises to the stability limit of each optimizer and stays there">'
        f"<style>{STYLE}</style>\n{panels}</svg>\n"
    )


def _panel(
    index: int,
    title: str,
    lines: Sequence[tuple[str, Sequence[float], float]],
    colors: Sequence[str],
) -> str:
    x0 = LEFT + index * (WIDTH + GAP)
    top = 1.12 * max(max(max(values), limit) for _, values, limit in lines)

    def at(step: float, value: float) -> str:
        return f"{x0 + WIDTH * step / STEPS:.1f},{TOP + HEIGHT * (1 - value / top):.1f}"

    parts = [f'<text class="title" x="{x0}" y="18">{html.escape(title)}</text>']
    parts += [_ticks(x0, top), f'<path class="axis" d="M{at(0, top)}L{at(0, 0)}L{at(STEPS, 0)}"/>']
    for row, ((name, values, limit), color) in enumerate(zip(lines, colors, strict=False)):
        points = " ".join(at(EVERY * (i + 1), value) for i, value in enumerate(values))
        edge = f"M{at(0, limit)}L{at(STEPS, limit)}"
        parts.append(f'<path class="limit" stroke="{color}" d="{edge}"/>')
        parts.append(f'<polyline class="line" stroke="{color}" points="{points}"/>')
        y = TOP + HEIGHT - 12 - 17 * (len(lines) - 1 - row)
        parts.append(f'<path class="line" stroke="{color}" d="M{x0 + 232} {y - 4}h18"/>')
        parts.append(f'<text x="{x0 + 256}" y="{y}">{html.escape(name)}</text>')
    return "\n".join(parts) + "\n"


def _ticks(x0: int, top: float) -> str:
    unit = next(unit for unit in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if top / unit <= 6)
    parts = []
    for value in np.arange(0.0, top, unit):
        y = TOP + HEIGHT * (1 - value / top) + 4
        parts.append(f'<text x="{x0 - 8}" y="{y:.1f}" text-anchor="end">{value:g}</text>')
    for step in range(0, STEPS + 1, 1000):
        x = x0 + WIDTH * step / STEPS
        parts.append(f'<text x="{x}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{step}</text>')
    middle, bottom = x0 + WIDTH / 2, TOP + HEIGHT + 36
    parts.append(f'<text x="{middle}" y="{bottom}" text-anchor="middle">step</text>')
    return "\n".join(parts)
