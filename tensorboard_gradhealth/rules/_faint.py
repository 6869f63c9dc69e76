"""A loss so small that its gradients move nothing, whatever the learning rate."""

from __future__ import annotations

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._loss import recent, start_level
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, percent
from tensorboard_gradhealth.types import Cause, Evidence, Fix


def is_faint(view: View) -> bool:
    """Whether gradients are small because the loss is, before anything was learned."""
    start = start_level(view)
    unmoved = recent(view, 20, 5).level() > 0.95 * start
    return 0 < start < view.limits["faint"] and unmoved and not view.facts.get("loss_scaled")


def faint_sign(view: View, since: int, path: float, horizon: int) -> Sign:
    """A sign for a loss of which no learning rate makes steps that are long enough."""
    start, step, limit = start_level(view), view.record.step, view.limits["faint"]
    label = f"path of the kernels in {horizon} steps"
    return Sign(
        severity="warning",
        title=f"The loss is too small to learn from: {horizon} steps move kernels by "
        f"{percent(path)}",
        onset=since,
        evidence=(
            Evidence("loss of the first 20 steps", start, limit, "", "loss", step),
            Evidence(label, path, view.limits["path"], "", "update_ratio", step),
        ),
        causes=(
            Cause(
                "the loss is multiplied by a tiny factor, or divided by the batch size twice",
                "likely",
                f"loss: {number(start)} at the start, and the gradients are as small",
            ),
            Cause("the targets are tiny, and nothing scales them"),
        ),
        fixes=(
            Fix("Take the mean over the samples, without another factor.", "tf.reduce_mean(loss)"),
            Fix(
                "Or scale the targets to a standard deviation of 1.",
                "y_train = (y_train - y_train.mean(0)) / y_train.std(0)",
            ),
        ),
        harmless="The loss is as low as it can get: a trained model moves little.",
        check="The first loss is near 1, and update_ratio of most kernels above 1e-4.",
    )
