"""Output layers and losses that do not belong together."""

from __future__ import annotations

from keras import layers

from benchmarks.diagnosis.faults._base import Fault
from benchmarks.diagnosis.setups import changed

HEAD = ("output_loss_mismatch",)

FAULTS: tuple[Fault, ...] = (
    Fault(
        "softmax_over_one_unit",
        "softmax over a single unit",
        "mlp/binary cnn_bn/binary deep_mlp/binary gated_mlp/binary gru/binary "
        "two_towers/binary bilstm/binary depthwise_cnn/binary",
        changed(head={"activation": "softmax"}),
        HEAD,
        "head",
    ),
    Fault(
        "sigmoid_for_values",
        "sigmoid on targets outside 0 to 1",
        "mlp/values lstm/values cnn/values gru/values two_towers/values tcn/values "
        "residual_mlp/values",
        changed(head={"activation": "sigmoid"}),
        HEAD,
        "head",
    ),
    Fault(
        "relu_for_values",
        "ReLU on targets that are negative too",
        "flat_mlp/values lstm/values cnn/values transformer/values parallel_cnn/values "
        "dense_cnn/values "
        "tcn/values residual_mlp/values bilstm/values",
        changed(head={"activation": "relu"}),
        HEAD,
        "head",
    ),
    Fault(
        "logits_as_probabilities",
        "no output activation, and a loss that expects probabilities",
        "flat_mlp/classes mlp/binary cnn/classes gru/binary residual_mlp/classes "
        "two_towers/binary vit/classes tcn/binary",
        changed(head={"activation": None}),
        HEAD,
        "head",
    ),
    Fault(
        "softmax_twice",
        "a Softmax layer after a softmax",
        "flat_mlp/classes lstm/classes cnn/classes transformer/classes mixer/classes "
        "bilstm/classes parallel_cnn/classes dense_cnn/classes",
        changed(after_head=lambda: [layers.Softmax(name="softmax")]),
        HEAD,
        "head|softmax",
    ),
    Fault(
        "softmax_for_labels",
        "softmax where several labels can be true at once",
        "mlp/labels cnn_bn/labels deep_mlp/labels gated_mlp/labels cnn/labels "
        "two_towers/labels parallel_cnn/labels dense_cnn/labels vit/labels",
        changed(head={"activation": "softmax"}),
        HEAD,
        "head",
    ),
    Fault(
        "categorical_loss_for_one_unit",
        "categorical cross-entropy over a single unit",
        "mlp/binary lstm/binary cnn/binary gru/binary two_towers/binary bilstm/binary tcn/binary",
        changed(loss="categorical_crossentropy"),
        HEAD,
        "head",
    ),
    Fault(
        "tanh_for_binary",
        "tanh before a binary cross-entropy",
        "mlp/binary lstm/binary deep_mlp/binary gated_mlp/binary cnn/binary two_towers/binary "
        "tcn/binary depthwise_cnn/binary",
        changed(head={"activation": "tanh"}),
        HEAD,
        "head",
    ),
)
