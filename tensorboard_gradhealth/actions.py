"""What can be done when a finding opens: stop the training, save good weights, call a function.

Nothing is done unless it is asked for:

>>> callback = gradhealth.HealthCallback(                             # doctest: +SKIP
...     "logs/run1",
...     on_finding=[
...         gradhealth.actions.StopTraining(rules=["nonfinite_values"]),
...         gradhealth.actions.SaveLastGoodWeights("good.weights.h5"),
...         print,
...     ],
... )

An action is called once for each finding that it answers, when that finding opens or becomes as
severe as the action asks for, with the findings that opened at the same step in the order of
`findings`, root causes first. That is where the finding is printed: at the end of the record that
shows it. What a log held already when a training goes on calls for nothing. An action that fails is
reported once, and training goes on. Of several workers, the chief alone acts.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tensorboard_gradhealth.rules import RULES
from tensorboard_gradhealth.types import SEVERITIES, Finding, Severity

COPIES = 2
"""Copies of the weights that are held, so that one is from before what took a while to be seen."""

SHARE_OF_RUN = 20
"""Copies lie a twentieth of the run apart, at least: the log's records grow with it too."""


class Training(Protocol):
    """What an action is told of the training, and what it may do to it.

    Attributes:
      model: The `keras.Model` that is trained; `None` where there are only variables.
      step: Steps taken so far, which is the number of the next one.
      findings: All so far, root causes first.
    """

    model: Any
    step: int
    findings: Sequence[Finding]

    def stop(self) -> None:
        """Ends `fit` after the step under way; in a loop, makes `monitor.should_stop` true."""

    def say(self, message: str) -> None:
        """Prints a message where findings are printed."""


class Action(abc.ABC):
    """Something to do when a finding opens. Derive from it for more than a function can do.

    Args:
      severity: The least severity of the findings that it answers.
      rules: The rules whose findings it answers; those of all rules, if not given.

    Raises:
      ValueError: There is no such severity or rule.
    """

    def __init__(self, *, severity: Severity = "error", rules: Sequence[str] | None = None) -> None:
        if severity not in SEVERITIES:
            raise ValueError(f"severity={severity!r} is not accepted: give one of {SEVERITIES}.")
        known = [rule.name for rule in RULES]
        if isinstance(rules, str) or (rules is not None and not set(rules) <= set(known)):
            raise ValueError(f"rules={rules!r} is not accepted: give a list of {known}.")
        self.severity = severity
        self.rules = None if rules is None else tuple(rules)

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return type(self).__name__

    def answers(self, finding: Finding) -> bool:
        """Whether it is to be called for a finding of this rule and severity."""
        severe = SEVERITIES.index(finding.severity) >= SEVERITIES.index(self.severity)
        return severe and (self.rules is None or finding.rule in self.rules)

    def watch(self, training: Training) -> None:  # noqa: B027 - most actions need not watch
        """Called again and again between steps; does nothing, if not overridden."""

    @abc.abstractmethod
    def act(self, finding: Finding, training: Training) -> None:
        """Answers a finding. Called between two steps."""


OnFinding = Action | Callable[[Finding], object]
"""What `on_finding` lists."""


class StopTraining(Action):
    """Stops `fit`, or makes `monitor.should_stop` true in a loop of one's own.

    >>> StopTraining(rules=["nonfinite_values", "loss_divergence"]).severity
    'error'
    """

    def act(self, finding: Finding, training: Training) -> None:
        training.say(f"Training is stopped because of `{finding.rule}`.")
        training.stop()


class Call(Action):
    """Calls a function with the finding. A bare function does the same, from `warning` on.

    Args:
      function: Takes a `Finding`; what it returns is not looked at.
      severity: See `Action`.
      rules: See `Action`.
    """

    def __init__(
        self,
        function: Callable[[Finding], object],
        *,
        severity: Severity = "warning",
        rules: Sequence[str] | None = None,
    ) -> None:
        super().__init__(severity=severity, rules=rules)
        self._function = function

    @property
    def name(self) -> str:
        return str(getattr(self._function, "__name__", repr(self._function)))

    def act(self, finding: Finding, training: Training) -> None:
        self._function(finding)


class SaveLastGoodWeights(Action):
    """Saves the model as it was before the finding began.

    Good are weights that are all finite and with which a step was taken, before the step at which
    the finding began, that showed nothing of it. Of these the newest that there is a copy of are
    saved, with the state of the optimizer of a compiled model: `model.load_weights(path)` brings
    them back. If there is no copy that old, that is said and nothing is saved.

    Copies are made only with this action: every `every` steps, and further apart as the run grows
    (a twentieth of the steps so far), but not while a finding that it answers is open. Two are
    held, in the memory of the host; each is as large as the model and its optimizer's state.
    What was saved is replaced only by what is from before a later, separate finding: not while the
    one that it was saved for is open.

    Args:
      path: File to write; its name ends in `.weights.h5`, as Keras wants it.
      every: Steps from one copy to the next, at least; >= 1.
      severity: See `Action`.
      rules: See `Action`.

    Raises:
      ValueError: An argument is not accepted; the message says what is.
    """

    def __init__(
        self,
        path: str,
        *,
        every: int = 100,
        severity: Severity = "error",
        rules: Sequence[str] | None = None,
    ) -> None:
        super().__init__(severity=severity, rules=rules)
        if not str(path).endswith(".weights.h5"):
            raise ValueError(f"path={path!r} is not accepted: its name must end in .weights.h5.")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every={every!r} is not accepted: give a whole number >= 1.")
        self.path = str(path)
        self.every = every
        self._training: Training | None = None
        self._copies: list[tuple[int, Any]] = []
        self._due = every
        self._saved_for = ""

    def watch(self, training: Training) -> None:
        if training is not self._training:  # another run than the one before
            self._training, self._copies, self._saved_for = training, [], ""
            self._due = (training.step // self.every + 1) * self.every
        if training.step < self._due or training.model is None or not training.model.built:
            return
        self._due = training.step + max(self.every, training.step // SHARE_OF_RUN)
        if not any(finding.open and self.answers(finding) for finding in training.findings):
            from tensorboard_gradhealth.training.host import good_weights

            values = good_weights.copied(training.model)
            if values is not None:
                self._copies = [*self._copies, (training.step, values)][-COPIES:]

    def act(self, finding: Finding, training: Training) -> None:
        if training.model is None:
            raise ValueError("there is no model: give HealthMonitor model=, not variables= alone")
        if any(other.open and other.id == self._saved_for for other in training.findings):
            return
        good = [copy for copy in self._copies if copy[0] < finding.first_step]
        if not good:
            training.say(
                f"No weights are saved: there is no copy from before step {finding.first_step}, "
                f"where `{finding.rule}` began. Copies are made every {self.every} steps."
            )
            return
        from tensorboard_gradhealth.training.host import good_weights

        step, values = good[-1]
        good_weights.save(training.model, values, self.path)
        self._saved_for = finding.id
        training.say(
            f"The weights before step {step} are saved in {self.path!r}: `{finding.rule}` began "
            f"at step {finding.first_step}."
        )
