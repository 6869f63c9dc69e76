"""What is known of a model before its first step."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from keras import layers, losses

from tensorboard_gradhealth.training.model import model_facts


def _compiled(model: keras.Model, loss: Any, optimizer: Any = "adam") -> keras.Model:
    model.compile(optimizer, loss)
    return model


def _sequence(*ends: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((8,)), layers.Dense(6, "relu"), *ends])


def _head(model: keras.Model, loss: Any) -> dict[str, Any]:
    (head,) = model_facts.outputs(_compiled(model, loss))
    return head


def test_facts_are_json_and_name_what_rules_read() -> None:
    facts = model_facts.facts(_compiled(_sequence(layers.Dense(1, "sigmoid", name="out")), "bce"))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["optimizer"] == "Adam"
    assert facts["gradient_accumulation"] == 1
    assert (facts["momentum"], facts["clipping"]) == (0.0, {})
    assert facts["weight_types"] == "float32"
    assert facts["outputs"] == [
        {
            "layer": "out",
            "units": 1,
            "activation": "sigmoid",
            "before": "",
            "behind": "",
            "loss": "binary_crossentropy",
            "from_logits": False,
            "label_smoothing": 0.0,
            "reduction": "sum_over_batch_size",
        }
    ]


def test_it_is_told_whether_a_loss_is_summed_over_the_batch() -> None:
    loss = keras.losses.MeanSquaredError(reduction="sum")
    [head] = model_facts.facts(_compiled(_sequence(layers.Dense(1)), loss))["outputs"]
    assert head["reduction"] == "sum"


def test_accumulated_gradients_are_told() -> None:
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
    model = _compiled(_sequence(layers.Dense(1)), "mse", optimizer)
    assert model_facts.facts(model)["gradient_accumulation"] == 4


def test_what_sets_the_length_of_steps_is_told() -> None:
    optimizer = keras.optimizers.SGD(0.1, momentum=0.99, global_clipnorm=0.5)
    facts = model_facts.facts(_compiled(_sequence(layers.Dense(1)), "mse", optimizer))
    assert facts["momentum"] == 0.99
    assert facts["clipping"] == {"global_clipnorm": 0.5}


def test_the_slowest_averages_of_batch_normalisation_are_told() -> None:
    fast, slow = layers.BatchNormalization(momentum=0.9), layers.BatchNormalization()
    assert model_facts.architecture(_sequence(fast, slow))["batch_norm_momentum"] == 0.99
    slow.trainable = False
    assert model_facts.architecture(_sequence(fast, slow))["batch_norm_momentum"] == 0.9
    assert model_facts.architecture(_sequence())["batch_norm_momentum"] == 0.0


def test_the_precision_of_weights_is_told() -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, dtype="float16"), layers.Dense(1)])
    assert model_facts.architecture(model)["weight_types"] == "float16, float32"


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("mse", "mean_squared_error"),
        (losses.MeanSquaredError(), "mean_squared_error"),
        (losses.mean_squared_error, "mean_squared_error"),
        (losses.KLDivergence(), "kl_divergence"),
        (losses.Huber(), "huber"),
        (lambda y, p: keras.ops.mean(p - y), "<lambda>"),
        (None, ""),
    ],
)
def test_a_loss_has_one_name_however_it_is_given(loss: Any, name: str) -> None:
    assert _head(_sequence(layers.Dense(1)), loss)["loss"] == name


def test_options_of_a_loss_are_read() -> None:
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    head = _head(_sequence(layers.Dense(3)), loss)
    assert (head["from_logits"], head["label_smoothing"]) == (True, 0.1)


@pytest.mark.parametrize(
    ("ends", "activation"),
    [
        ([layers.Dense(4, "softmax")], "softmax"),
        ([layers.Dense(4), layers.Softmax()], "softmax"),
        ([layers.Dense(4), layers.Activation("tanh")], "tanh"),
        ([layers.Dense(4, "sigmoid"), layers.Reshape((2, 2))], "sigmoid"),
        ([layers.Dense(4)], "linear"),
        ([layers.Dense(4), layers.Softmax(axis=0)], "batch_softmax"),
        ([layers.Dense(4, "softmax"), layers.Dropout(0.5)], "softmax"),
        ([layers.Dense(4, "softmax"), layers.Dropout(0)], "softmax"),
        ([layers.Dense(4), layers.Dropout(0.5)], "linear"),
        ([layers.Dense(4, "sigmoid"), layers.BatchNormalization()], ""),
        ([layers.Dense(4), layers.BatchNormalization()], ""),
        ([layers.Dense(4), layers.Lambda(keras.ops.softmax)], ""),
    ],
)
def test_the_function_at_the_end_is_found_or_unknown(
    ends: list[layers.Layer], activation: str
) -> None:
    assert _head(_sequence(*ends), "mse")["activation"] == activation


@pytest.mark.parametrize(
    ("ends", "before"),
    [
        ([layers.Dense(4, "softmax"), layers.Softmax()], "softmax"),
        ([layers.Dense(4, "relu"), layers.Dropout(0.1), layers.Activation("softmax")], "relu"),
        ([layers.Dense(4), layers.Softmax()], ""),
        ([layers.Dense(4, "softmax")], ""),
        ([layers.Dense(4, "softmax"), layers.BatchNormalization()], "softmax"),
    ],
)
def test_a_function_that_is_applied_to_another_is_told(
    ends: list[layers.Layer], before: str
) -> None:
    assert _head(_sequence(*ends), "mse")["before"] == before


@pytest.mark.parametrize(
    ("end", "behind"),
    [
        (layers.Dropout(0.5), "dropout"),
        (layers.Dropout(0), ""),
        (layers.BatchNormalization(), "batch_normalization"),
        (layers.Activation("linear"), ""),
    ],
)
def test_what_changes_the_outputs_behind_their_activation_is_told(
    end: layers.Layer, behind: str
) -> None:
    assert _head(_sequence(layers.Dense(4, "softmax"), end), "mse")["behind"] == behind


def test_the_end_of_a_nested_model_is_its_own() -> None:
    inputs = keras.Input((8,))
    model = keras.Model(inputs, _sequence(layers.Dense(2, "tanh"))(inputs))
    assert _head(model, "mse")["activation"] == "tanh"


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        ({"b": "mae", "a": "bce"}, ["binary_crossentropy", "mean_absolute_error"]),
        ({"b": "mae"}, ["", "mean_absolute_error"]),
        ("mse", ["mean_squared_error", "mean_squared_error"]),
    ],
)
def test_each_output_has_its_own_loss(loss: Any, found: list[str]) -> None:
    inputs = keras.Input((8,))
    ends = {"b": layers.Dense(2)(inputs), "a": layers.Dense(1, "sigmoid")(inputs)}
    heads = model_facts.outputs(_compiled(keras.Model(inputs, ends), loss))
    assert [head["activation"] for head in heads] == ["sigmoid", "linear"]
    assert [head["loss"] for head in heads] == found


def test_losses_in_a_list_follow_the_outputs() -> None:
    inputs = keras.Input((8,))
    ends = [layers.Dense(1, "sigmoid")(inputs), layers.Dense(2)(inputs)]
    heads = model_facts.outputs(_compiled(keras.Model(inputs, ends), ["bce", "mae"]))
    assert [head["loss"] for head in heads] == ["binary_crossentropy", "mean_absolute_error"]


class _ByHand(keras.Model):
    """Ends with a layer, and possibly with more that only its `call` knows."""

    def __init__(self, activation: str | None) -> None:
        super().__init__()
        self.hidden = layers.Dense(4, "relu")
        self.out = layers.Dense(1, activation, name="out")

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))


def test_of_a_model_without_a_graph_a_linear_end_is_not_believed() -> None:
    assert _head(_ByHand("softmax"), "mse")["activation"] == "softmax"
    assert _head(_ByHand(None), "mse")["activation"] == ""


def test_fans_tell_the_inputs_and_units_of_each_kernel() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.SeparableConv2D(5, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    assert list(model_facts.kernel_fans(model).values()) == [
        [27, 4],
        [9, 4],
        [4, 5],
        [80, 2],
    ]


def test_a_recurrent_layer_has_two_kernels_and_an_embedding_none() -> None:
    model = keras.Sequential([keras.Input((7,)), layers.Embedding(10, 4), layers.GRU(5)])
    fans = {name.rpartition("/")[2]: fans for name, fans in model_facts.kernel_fans(model).items()}
    assert fans == {"kernel": [4, 15], "recurrent_kernel": [5, 15]}


def test_a_model_that_is_not_built_yet_has_no_fans() -> None:
    assert model_facts.architecture(keras.Sequential([layers.Dense(2)]))["kernel_fans"] == {}


@pytest.mark.parametrize(
    ("first", "normalises"),
    [
        (layers.Rescaling(1 / 255), True),
        (layers.BatchNormalization(), True),
        (layers.ReLU(), False),
    ],
)
def test_whether_the_first_layer_normalises_is_known(first: layers.Layer, normalises: bool) -> None:
    model = keras.Sequential([keras.Input((4, 2)), layers.Flatten(), first, layers.Dense(1)])
    assert model_facts.architecture(model)["input_normalised"] is normalises
