"""Bodies of convolutions over images."""

from __future__ import annotations

from typing import Any

from keras import layers

from benchmarks.diagnosis.bodies._blocks import batch_norm, conv, dense, through
from benchmarks.diagnosis.setups import Setup


def cnn(x: Any, setup: Setup, depth: int) -> Any:
    """Without normalisation, and a dense layer at its end."""
    for number in range(1, depth + 1):
        x = conv(x, setup, 16, f"hidden{number}", strides=2 if number == 2 else 1)
    return dense(layers.Flatten(name="flatten")(x), setup, 32, f"hidden{depth + 1}")


def cnn_bn(x: Any, setup: Setup, depth: int) -> Any:
    """Batch normalisation between each convolution and its activation."""
    for number in range(1, depth + 1):
        strides = 2 if number == 2 else 1
        layer = layers.Conv2D(
            16, 3, strides, "same", use_bias=False, name=f"conv{number}", **setup.hidden
        )
        x = batch_norm(f"norm{number}")(layer(x))
        x = layers.Activation(setup.activation, name=f"hidden{number}")(x)
        x = through(setup.after(), x)
    return layers.GlobalAveragePooling2D(name="pool")(x)


def depthwise_cnn(x: Any, setup: Setup, depth: int) -> Any:
    """Each channel by itself, then all of them at each place, with batch normalisation."""
    x = layers.Conv2D(20, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(name="stem_relu")(batch_norm("stem_norm")(x))
    for number in range(1, depth + 1):
        strides = 2 if number == 2 else 1
        x = layers.DepthwiseConv2D(3, strides, "same", use_bias=False, name=f"spread{number}")(x)
        x = batch_norm(f"norm{number}a")(x)
        x = layers.Conv2D(28, 1, use_bias=False, name=f"conv{number}", **setup.hidden)(x)
        x = layers.Activation(setup.activation, name=f"hidden{number}")(
            batch_norm(f"norm{number}b")(x)
        )
        x = through(setup.after(), x)
    return layers.GlobalAveragePooling2D(name="pool")(x)


def resnet(x: Any, setup: Setup, depth: int) -> Any:
    """Branches that are normalised first and added to what came in."""
    x = conv(x, setup, 16, "hidden1")
    for number in range(2, depth + 2):
        branch = batch_norm(f"norm{number}")(x)
        branch = conv(branch, setup, 16, f"hidden{number}")
        branch = layers.Conv2D(16, 3, padding="same", name=f"branch{number}")(branch)
        x = layers.Add(name=f"add{number}")([x, branch])
    return layers.GlobalAveragePooling2D(name="pool")(x)


def dense_cnn(x: Any, setup: Setup, depth: int) -> Any:
    """Each convolution sees the outputs of all before it."""
    for number in range(1, depth + 1):
        new = conv(x, setup, 10, f"hidden{number}")
        x = layers.Concatenate(name=f"join{number}")([x, new])
    x = layers.MaxPooling2D(name="pool")(x)
    return dense(layers.Flatten(name="flatten")(x), setup, 32, f"hidden{depth + 1}")


def parallel_cnn(x: Any, setup: Setup, depth: int) -> Any:
    """Convolutions of two sizes side by side, and the strongest answer of each channel."""
    for number in range(1, depth + 1):
        near = conv(x, setup, 12, f"hidden{number}")
        far = conv(x, setup, 12, f"hidden{number}_far", size=5)
        x = layers.Concatenate(name=f"join{number}")([near, far])
        if number == 1:
            x = layers.MaxPooling2D(name="pool")(x)
    return layers.GlobalMaxPooling2D(name="strongest")(x)


def conv_autoencoder(x: Any, setup: Setup, depth: int) -> Any:
    """Down to 2 by 2 and up again."""
    x = conv(x, setup, 16, "hidden1", strides=2)
    x = conv(x, setup, 8, "hidden2", strides=2)
    x = layers.UpSampling2D(name="up1")(x)
    x = layers.UpSampling2D(name="up2")(conv(x, setup, 16, "hidden3"))
    options = {"padding": "same", "activation": "sigmoid", **setup.head}
    return layers.Conv2D(1, 3, **options, name="head")(x)


def denoiser(x: Any, setup: Setup, depth: int) -> Any:
    """Takes noise out of images, through 4 by 4 places and transposed convolutions."""
    x = layers.GaussianNoise(0.1, name="noise")(x)
    x = conv(x, setup, 12, "hidden1", strides=2)
    x = conv(x, setup, 24, "hidden2")
    layer = layers.Conv2DTranspose(
        20, 3, 2, "same", activation=setup.activation, name="hidden3", **setup.hidden
    )
    x = through(setup.after(), layer(x))
    options = {"padding": "same", "activation": "sigmoid", **setup.head}
    return layers.Conv2D(1, 3, **options, name="head")(x)
