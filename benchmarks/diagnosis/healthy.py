"""What people do right: trainings of many kinds that learn, about which nothing is to be said."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.adversarial import Adversarial
from benchmarks.diagnosis.data import Data
from benchmarks.diagnosis.setups import Change, changed

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam


AS_IT_IS = changed()


@dataclasses.dataclass(frozen=True)
class Healthy:
    """One way to train well.

    Attributes:
      name: In snake_case.
      on: Bodies and tasks, as `body/task`.
      change: What is done other than usual.
      unproven: Why its loss cannot show that it learns; "" where it must.
    """

    name: str
    on: str
    change: Change = AS_IT_IS
    unproven: str = ""


def _hidden(**options: Any) -> Change:
    return changed(hidden=options)


def _pixels(data: Data, random: np.random.Generator) -> Data:
    return data.each_x(lambda x: x * 255)


def _uneven(data: Data, random: np.random.Generator) -> Data:
    return data.each_x(lambda x: x * np.geomspace(0.1, 1000, x.shape[-1]).astype("float32"))


def _rare_but_clear(data: Data, random: np.random.Generator) -> Data:
    """Keeps one in ten of the samples that are not of the commonest class."""
    commonest = np.bincount(data.y.ravel().astype(int)).argmax()
    return data.keep(lambda y: (y.ravel() == commonest) | (random.random(len(y)) < 0.1))


def _class_weights(data: Data) -> dict[str, Any]:
    counts = np.bincount(data.y.ravel().astype(int))
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return {"class_weight": {k: float(min(w, 10.0)) for k, w in enumerate(weights)}}


def _one_hot(data: Data, random: np.random.Generator) -> Data:
    classes = int(data.y.max()) + 1
    return data.each_y(lambda y: np.eye(classes, dtype="float32")[y])


def _sample_weights(data: Data) -> dict[str, Any]:
    return {"sample_weight": np.linspace(0.5, 1.5, len(data.x))}


def _fine_tuned(model: keras.Model, data: Data) -> None:
    """Trains a little, then freezes all layers but the last three."""
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(data.x[:400], data.y[:400], epochs=5, verbose=0)
    for layer in model.layers[:-3]:
        layer.trainable = False


def _branches_from_zero(model: keras.Model, data: Data) -> None:
    """Lets every residual branch begin with an output of zero."""
    for layer in model.layers:
        if layer.name.startswith(("branch", "down")):
            layer.kernel.assign(0 * layer.kernel)


def _cosine() -> Any:
    return keras.optimizers.schedules.CosineDecay(
        1e-4, 250, warmup_target=4e-3, warmup_steps=30, alpha=0.0
    )


PLAIN = {
    "mlp": "classes binary labels values",
    "flat_mlp": "classes values",
    "cnn_bn": "classes labels values",
    "lstm": "classes values binary",
    "attention": "classes binary labels",
    "autoencoder": "copy",
    "deep_mlp": "classes values labels",
    "gated_mlp": "classes values labels",
    "cnn": "classes binary values",
    "resnet": "classes labels",
    "gru": "classes values binary",
    "transformer": "classes labels",
    "conv_autoencoder": "copy",
    "two_towers": "classes labels values",
    "residual_mlp": "classes values",
    "mixer": "classes labels",
    "depthwise_cnn": "classes labels",
    "dense_cnn": "classes binary values",
    "parallel_cnn": "classes binary values",
    "denoiser": "copy",
    "tcn": "classes values binary",
    "birnn": "classes binary",
    "bilstm": "classes values labels",
    "vit": "classes labels",
}
"""Tasks of each body that is trained as it is."""

HEALTHY: tuple[Healthy, ...] = (
    *(
        Healthy(f"plain_{body}", " ".join(f"{body}/{task}" for task in tasks.split()))
        for body, tasks in PLAIN.items()
    ),
    Healthy(
        "momentum",
        "flat_mlp/classes cnn_bn/classes cnn/classes deep_mlp/classes gated_mlp/classes "
        "residual_mlp/classes depthwise_cnn/classes parallel_cnn/classes dense_cnn/classes "
        "two_towers/classes",
        changed(optimizer=lambda: SGD(0.05, momentum=0.9, nesterov=True)),
    ),
    Healthy(
        "gradient_descent",
        "flat_mlp/classes mlp/values deep_mlp/values gated_mlp/values cnn/classes "
        "two_towers/values parallel_cnn/classes dense_cnn/classes residual_mlp/classes",
        changed(optimizer=lambda: SGD(0.1), epochs=16),
    ),
    Healthy(
        "rmsprop",
        "lstm/classes gru/classes bilstm/classes birnn/classes",
        changed(optimizer=lambda: keras.optimizers.RMSprop(2e-3)),
    ),
    Healthy(
        "adamw",
        "attention/classes transformer/classes vit/classes mixer/classes",
        changed(optimizer=lambda: keras.optimizers.AdamW(2e-3, weight_decay=0.01)),
    ),
    Healthy(
        "quick_adam",
        "flat_mlp/classes mlp/values cnn/classes deep_mlp/classes gated_mlp/classes "
        "two_towers/classes tcn/values parallel_cnn/classes dense_cnn/classes",
        changed(optimizer=lambda: Adam(1e-2)),
    ),
    Healthy(
        "patient_adam",
        "flat_mlp/classes cnn/classes residual_mlp/classes parallel_cnn/classes dense_cnn/classes",
        changed(optimizer=lambda: Adam(2e-4), epochs=20),
    ),
    Healthy(
        "warm_up_and_cosine",
        "attention/classes cnn_bn/classes transformer/classes resnet/classes vit/classes "
        "depthwise_cnn/classes mixer/classes",
        changed(optimizer=lambda: Adam(_cosine())),
    ),
    Healthy(
        "to_zero_loss",
        "flat_mlp/classes cnn_bn/classes cnn/classes transformer/classes residual_mlp/classes "
        "parallel_cnn/classes dense_cnn/classes depthwise_cnn/classes",
        changed(epochs=25, samples=500, optimizer=lambda: Adam(1e-2)),
    ),
    Healthy(
        "dropout",
        "mlp/classes flat_mlp/classes deep_mlp/labels gated_mlp/labels cnn/classes "
        "residual_mlp/classes parallel_cnn/classes dense_cnn/classes two_towers/labels",
        changed(after=lambda: [layers.Dropout(0.5)], epochs=15),
    ),
    Healthy(
        "batch_norm_in_dense",
        "mlp/classes flat_mlp/values deep_mlp/classes gated_mlp/classes two_towers/classes "
        "tcn/values",
        changed(after=lambda: [layers.BatchNormalization(momentum=0.9)]),
    ),
    Healthy(
        "layer_norm",
        "mlp/values deep_mlp/values gated_mlp/values two_towers/values tcn/values",
        changed(after=lambda: [layers.LayerNormalization()]),
    ),
    Healthy(
        "weight_penalty",
        "mlp/classes flat_mlp/classes cnn/classes deep_mlp/values gated_mlp/values "
        "two_towers/values parallel_cnn/classes dense_cnn/classes depthwise_cnn/classes",
        _hidden(kernel_regularizer=keras.regularizers.L2(1e-4)),
    ),
    Healthy(
        "tanh",
        "mlp/values lstm/classes deep_mlp/classes gated_mlp/classes cnn/classes "
        "two_towers/classes tcn/classes bilstm/classes",
        changed(activation="tanh"),
    ),
    Healthy(
        "gelu",
        "flat_mlp/classes cnn/values mixer/classes parallel_cnn/values dense_cnn/values "
        "vit/classes",
        changed(activation="gelu"),
    ),
    Healthy(
        "selu",
        "mlp/classes deep_mlp/classes gated_mlp/classes two_towers/classes tcn/classes",
        changed(activation="selu", hidden={"kernel_initializer": "lecun_normal"}),
    ),
    Healthy(
        "leaky_relu",
        "autoencoder/copy conv_autoencoder/copy deep_mlp/binary gated_mlp/binary "
        "denoiser/copy two_towers/binary",
        changed(activation="leaky_relu"),
    ),
    Healthy(
        "shallow_sigmoids",
        "flat_mlp/classes gru/classes residual_mlp/classes bilstm/classes",
        changed(activation="sigmoid", epochs=20),
    ),
    Healthy(
        "he_normal",
        "mlp/classes deep_mlp/classes gated_mlp/classes cnn/values two_towers/classes "
        "parallel_cnn/values dense_cnn/values tcn/classes",
        _hidden(kernel_initializer="he_normal"),
    ),
    Healthy(
        "orthogonal",
        "mlp/values deep_mlp/labels gated_mlp/labels two_towers/labels tcn/values",
        _hidden(kernel_initializer="orthogonal"),
    ),
    Healthy(
        "deep",
        "mlp/classes flat_mlp/classes deep_mlp/classes gated_mlp/classes cnn/classes "
        "residual_mlp/classes mixer/classes depthwise_cnn/classes",
        changed(depth=6, hidden={"kernel_initializer": "he_normal"}, optimizer=lambda: Adam(1e-3)),
    ),
    Healthy(
        "half_precision",
        "flat_mlp/classes mlp/values deep_mlp/classes gated_mlp/classes cnn/classes "
        "residual_mlp/classes parallel_cnn/classes dense_cnn/classes tcn/values",
        changed(policy="mixed_float16"),
    ),
    Healthy(
        "bfloat16",
        "flat_mlp/values transformer/classes vit/classes two_towers/values",
        changed(policy="mixed_bfloat16"),
    ),
    Healthy(
        "clipping",
        "lstm/classes gru/classes transformer/classes bilstm/classes birnn/classes vit/classes",
        changed(optimizer=lambda: Adam(2e-3, clipnorm=1.0)),
    ),
    Healthy(
        "accumulation",
        "flat_mlp/classes deep_mlp/classes gated_mlp/classes cnn/classes two_towers/classes "
        "parallel_cnn/classes dense_cnn/classes residual_mlp/classes",
        changed(batch_size=8, optimizer=lambda: Adam(2e-3, gradient_accumulation_steps=4)),
    ),
    Healthy(
        "averaged_weights",
        "cnn_bn/classes cnn/classes depthwise_cnn/classes parallel_cnn/classes dense_cnn/classes",
        changed(optimizer=lambda: Adam(2e-3, use_ema=True, ema_momentum=0.95)),
    ),
    Healthy(
        "many_steps_at_once",
        "flat_mlp/classes cnn/classes residual_mlp/classes parallel_cnn/classes dense_cnn/classes",
        changed(compile={"steps_per_execution": 5}),
    ),
    Healthy(
        "compiled",
        "mlp/classes deep_mlp/classes gated_mlp/classes two_towers/classes residual_mlp/classes",
        changed(compile={"jit_compile": True}),
    ),
    Healthy(
        "small_batches",
        "flat_mlp/classes mlp/values deep_mlp/classes gated_mlp/classes gru/classes "
        "two_towers/classes tcn/classes residual_mlp/classes",
        changed(batch_size=4, samples=600, epochs=3, optimizer=lambda: Adam(5e-4)),
    ),
    Healthy(
        "large_batches",
        "flat_mlp/classes lstm/classes cnn/classes deep_mlp/values gated_mlp/values "
        "residual_mlp/classes bilstm/classes two_towers/values",
        changed(batch_size=400, samples=1200, epochs=80, optimizer=lambda: Adam(5e-3)),
    ),
    Healthy(
        "label_smoothing",
        "flat_mlp/classes cnn/classes residual_mlp/classes depthwise_cnn/classes",
        changed(
            prepare=(_one_hot,), loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
        ),
    ),
    Healthy(
        "logits",
        "flat_mlp/classes cnn/classes transformer/classes mixer/classes parallel_cnn/classes "
        "dense_cnn/classes "
        "tcn/classes",
        changed(
            head={"activation": None},
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ),
    ),
    Healthy(
        "focal_loss",
        "mlp/binary deep_mlp/binary gated_mlp/binary two_towers/binary",
        changed(loss=keras.losses.BinaryFocalCrossentropy()),
    ),
    Healthy(
        "absolute_error", "mlp/values gru/values tcn/values two_towers/values", changed(loss="mae")
    ),
    Healthy(
        "huber",
        "lstm/values deep_mlp/values gated_mlp/values bilstm/values two_towers/values",
        changed(loss="huber"),
    ),
    Healthy(
        "summed_loss",
        "flat_mlp/classes deep_mlp/classes gated_mlp/classes two_towers/classes "
        "residual_mlp/classes",
        changed(loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum")),
    ),
    Healthy(
        "pixels_likely_or_not",
        "autoencoder/copy conv_autoencoder/copy denoiser/copy",
        changed(loss="binary_crossentropy"),
    ),
    Healthy(
        "rescaled_pixels",
        "flat_mlp/classes cnn/classes parallel_cnn/classes dense_cnn/classes residual_mlp/classes",
        changed(prepare=(_pixels,), entry=lambda: [layers.Rescaling(1 / 255)]),
    ),
    Healthy(
        "normalised_features",
        "mlp/classes deep_mlp/classes gated_mlp/classes two_towers/classes",
        changed(
            prepare=(_uneven,),
            entry=lambda: [layers.BatchNormalization(momentum=0.9, name="scale")],
        ),
    ),
    Healthy(
        "imbalanced_but_learnt",
        "flat_mlp/binary mlp/binary cnn/classes transformer/classes residual_mlp/binary "
        "parallel_cnn/classes dense_cnn/classes two_towers/binary",
        changed(prepare=(_rare_but_clear,), samples=1500, epochs=20),
    ),
    Healthy(
        "class_weights",
        "flat_mlp/classes cnn/binary parallel_cnn/binary dense_cnn/binary residual_mlp/classes",
        changed(prepare=(_rare_but_clear,), samples=1500, epochs=20, fit=_class_weights),
    ),
    Healthy(
        "sample_weights",
        "mlp/classes gru/classes tcn/classes two_towers/classes",
        changed(fit=_sample_weights),
    ),
    Healthy(
        "noisy_inputs",
        "flat_mlp/classes deep_mlp/values gated_mlp/values residual_mlp/classes two_towers/values",
        changed(entry=lambda: [layers.GaussianNoise(0.3)]),
    ),
    Healthy(
        "fine_tuning",
        "flat_mlp/classes cnn_bn/classes cnn/classes transformer/classes residual_mlp/classes "
        "parallel_cnn/classes dense_cnn/classes vit/classes",
        changed(adapt=_fine_tuned),
    ),
    Healthy(
        "branches_from_zero",
        "attention/classes resnet/classes transformer/classes vit/classes mixer/classes "
        "residual_mlp/classes",
        changed(adapt=_branches_from_zero),
    ),
    Healthy(
        "few_samples",
        "flat_mlp/classes lstm/binary cnn/classes deep_mlp/values gated_mlp/values "
        "residual_mlp/classes bilstm/binary two_towers/values",
        changed(samples=40, batch_size=8, epochs=12),
    ),
    Healthy(
        "four_samples",
        "mlp/values flat_mlp/classes gru/values cnn/classes tcn/values parallel_cnn/classes "
        "dense_cnn/classes "
        "two_towers/values",
        changed(samples=4, batch_size=4, epochs=6),
        "six steps on four samples",
    ),
    Healthy(
        "six_steps",
        "attention/classes mlp/classes deep_mlp/classes gated_mlp/classes resnet/classes "
        "vit/classes two_towers/classes depthwise_cnn/classes",
        changed(samples=192, epochs=1),
        "six steps are too few",
    ),
    Healthy(
        "one_epoch",
        "flat_mlp/classes lstm/classes cnn/classes gru/values residual_mlp/classes "
        "bilstm/classes parallel_cnn/classes dense_cnn/classes",
        changed(epochs=1),
        "25 steps are too few",
    ),
    Healthy(
        "adversarial",
        "mlp/binary deep_mlp/binary gated_mlp/binary two_towers/binary",
        changed(
            wrap=Adversarial,
            optimizer=lambda: Adam(1e-3, beta_1=0.5),
            compile={"metrics": None},
        ),
        "two networks against each other, whose losses need not fall",
    ),
    Healthy("plain_rnn", "rnn/classes rnn/binary"),
)
