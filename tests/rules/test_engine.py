"""What the engine does with signs: hold, clear, escalate, link, silence, ignore, report states."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from tensorboard_gradhealth.rules import (
    Engine,
    Event,
    NotEvaluated,
    Rule,
    Sign,
    View,
)
from tensorboard_gradhealth.rules._catalogue import validate
from tensorboard_gradhealth.types import (
    NOT_MEASURED,
    Evidence,
    Finding,
    Record,
    Row,
    RunInfo,
    Severity,
    SignalSpec,
)

ROWS = (Row("a", "a", "kernel"), Row("b", "b", "kernel"))
INFO = RunInfo({"variable": ROWS}, {"x": SignalSpec("x", "X", "", "variable")})


def _check(view: View) -> Sign | None:
    """Info over 1, warning over 2, error over 3, for the rows concerned."""
    values = view.latest("x")
    largest = float(np.nanmax(values, initial=0))
    if not largest > view.limits["info"]:
        return None
    severity: Severity = "info" if largest <= 2 else "warning" if largest <= 3 else "error"
    layers = tuple(row.name for row, v in zip(view.rows("x"), values, strict=True) if v > 1)
    return Sign(severity, f"x is {largest:g}", (Evidence("x", largest, 1),), layers)


def _rule(**changes: object) -> Rule:
    rule = Rule("toy", "GH301", "step", _check, ("x",), {"info": 1}, (), 2, 3, ())
    return dataclasses.replace(rule, **changes)  # type: ignore[arg-type]


def _record(step: int, a: float, b: float = 0.0, **signals: object) -> Record:
    x = np.repeat(np.array([[a], [b]], np.float32), 3, axis=1)
    return Record(step, step, {"x": x, **signals})  # type: ignore[dict-item]


def _feed(engine: Engine, values: Iterable[float], start: int = 0) -> list[Event]:
    return [event for i, v in enumerate(values, start) for event in engine.feed(_record(i, v))]


def _kinds(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.kind, event.finding.last_step) for event in events]


def _state(engine: Engine, rule: str = "toy") -> tuple[str, str]:
    (state,) = (state for state in engine.states() if state.rule == rule)
    return state.state, state.reason


def test_a_sign_must_hold_and_the_onset_is_where_it_began() -> None:
    engine = Engine(INFO, [_rule(hold=3)])
    assert _feed(engine, [0, 5, 5, 0, 5, 5]) == []
    (event,) = _feed(engine, [5], start=6)
    assert (event.kind, event.finding.first_step, event.finding.last_step) == ("opened", 4, 6)
    assert _state(engine) == ("firing", "")


def test_records_in_which_nothing_was_sampled_are_no_answer() -> None:
    """In long runs, what is costly is not measured in every window."""
    nothing = float(NOT_MEASURED)
    engine = Engine(INFO, [_rule(hold=3)])
    for step, value in enumerate([5, nothing, nothing, 5, nothing, 5]):
        engine.feed(_record(step, value, 0.0 if value == 5 else nothing))
    (finding,) = engine.findings
    assert (finding.first_step, finding.last_step, finding.open) == (0, 5, True)
    for step in range(6, 16):
        engine.feed(_record(step, nothing, nothing))
    assert engine.findings == [finding]
    assert _feed(engine, [0, 0, 0], start=16)[0].kind == "closed"


def test_a_finding_is_opened_once_and_then_only_grows() -> None:
    engine = Engine(INFO, [_rule()])
    assert _kinds(_feed(engine, [5] * 10)) == [("opened", 1)]
    (finding,) = engine.findings
    assert (finding.first_step, finding.last_step, finding.open) == (0, 9, True)


def test_it_is_over_after_some_records_without_a_sign() -> None:
    engine = Engine(INFO, [_rule()])
    assert _kinds(_feed(engine, [5, 5, 0, 0, 5, 0, 0])) == [("opened", 1)]
    assert _kinds(_feed(engine, [0], start=7)) == [("closed", 4)]
    assert _state(engine) == ("cleared", "")


def test_nothing_closes_a_finding_of_a_rule_that_never_clears() -> None:
    engine = Engine(INFO, [_rule(clear=None)])
    _feed(engine, [5, 5] + [0] * 100)
    assert engine.findings[0].open


def test_a_value_around_the_limit_does_not_flap() -> None:
    engine = Engine(INFO, [_rule()])
    events = _feed(engine, [5, 5] + [0, 5] * 50)
    assert _kinds(events) == [("opened", 1)]


def test_each_return_must_hold_twice_as_long_and_is_a_finding_of_its_own() -> None:
    engine = Engine(INFO, [_rule()])
    assert len(_feed(engine, [5, 5, 0, 0, 0])) == 2
    assert _feed(engine, [5, 5, 5], start=5) == []
    (event,) = _feed(engine, [5], start=8)
    assert (event.finding.id, event.finding.first_step) == ("toy#2", 5)


def test_a_return_never_begins_before_the_end_of_the_one_before() -> None:
    def since_the_start(view: View) -> Sign | None:
        sign = _check(view)
        return sign and dataclasses.replace(sign, onset=0)

    engine = Engine(INFO, [_rule(check=since_the_start)])
    _feed(engine, [5, 5, 0, 0, 0, 5, 5, 5, 5])
    assert [(f.first_step, f.last_step) for f in engine.findings] == [(0, 1), (2, 8)]


def test_severity_rises_once_it_holds_and_never_falls() -> None:
    engine = Engine(INFO, [_rule()])
    events = _feed(engine, [1.5, 1.5, 5, 1.5, 5, 5, 1.5, 1.5])
    assert [(e.kind, e.finding.severity) for e in events] == [
        ("opened", "info"),
        ("changed", "error"),
    ]
    assert engine.findings[0].title == "x is 5"


def test_layers_are_added_and_the_first_words_stay() -> None:
    engine = Engine(INFO, [_rule()])
    _feed(engine, [5, 5])
    (event,) = engine.feed(_record(2, 0, 7))
    assert event.kind == "changed"
    assert event.finding.layers == ("a", "b")
    assert event.finding.title == "x is 5"


def test_nan_and_what_was_not_measured_are_no_sign() -> None:
    engine = Engine(INFO, [_rule()])
    assert _feed(engine, [np.nan, float(NOT_MEASURED)] * 10) == []
    assert _state(engine) == ("clean", "")


def test_a_rule_never_sees_not_measured_as_a_number() -> None:
    seen: list[np.ndarray] = []

    def look(view: View) -> None:
        seen.append(
            np.concatenate([view.latest("x"), view.past("x", 9).ravel(), view.early("x").ravel()])
        )
        assert view.measured("x").tolist() == [False, True]

    engine = Engine(INFO, [_rule(check=look)])
    engine.feed(_record(0, float(NOT_MEASURED), 2))
    assert _state(engine) == ("clean", "")
    assert np.isnan(seen[0]).tolist() == [True, False] * 3


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (INFO, "signal `x` was not recorded"),
        (
            dataclasses.replace(INFO, not_measured={"x": "no gradient tape"}),
            "signal `x` was not recorded: no gradient tape",
        ),
    ],
)
def test_a_missing_signal_is_named_with_its_reason(info: RunInfo, reason: str) -> None:
    engine = Engine(info, [_rule()])
    engine.feed(Record(0, 0, {}))
    assert _state(engine) == ("not evaluated", reason)


def test_a_check_that_cannot_judge_yet_says_why_and_changes_nothing() -> None:
    def patient(view: View) -> Sign | None:
        if view.record.step < 2 or view.record.step > 5:
            raise NotEvaluated("too early")
        return _check(view)

    engine = Engine(INFO, [_rule(check=patient)])
    _feed(engine, [5])
    assert _state(engine) == ("not evaluated", "too early")
    _feed(engine, [5] * 10, start=1)
    assert _state(engine) == ("firing", "too early")


def test_a_rule_that_raises_is_switched_off_and_the_others_go_on() -> None:
    calls: list[int] = []

    def broken(view: View) -> Sign | None:
        calls.append(view.record.step)
        raise KeyError("oops")

    engine = Engine(INFO, [_rule(name="broken", code="GH302", check=broken), _rule()])
    assert _kinds(_feed(engine, [5, 5, 5])) == [("opened", 1)]
    assert _state(engine, "broken") == ("not evaluated", "the rule failed: KeyError: 'oops'")
    assert calls == [0]


def test_a_record_without_the_signal_is_not_judged_again() -> None:
    engine = Engine(INFO, [_rule()])
    _feed(engine, [5])
    assert engine.feed(Record(1, 1, {})) == []
    assert engine.findings == []


def test_a_cumulative_signal_is_judged_at_every_record() -> None:
    spec = SignalSpec("x", "X", "", "variable", ("mean", "count"))
    engine = Engine(RunInfo(INFO.rows, {"x": spec}), [_rule()])
    engine.feed(Record(0, 0, {"x": np.full((2, 2), 5, np.float32)}))
    (event,) = engine.feed(Record(1, 1, {}))
    assert event.kind == "opened"


def test_other_rows_start_a_new_history() -> None:
    lengths: list[int] = []
    engine = Engine(INFO, [_rule(check=lambda view: lengths.append(len(view.past("x", 9))))])
    _feed(engine, [0, 0, 0])
    engine.feed(Record(3, 3, {"x": np.zeros((5, 3), np.float32)}))
    assert lengths == [1, 2, 3, 1]


def test_the_past_is_bounded_and_complete_however_long_the_run() -> None:
    seen: list[list[float]] = []
    engine = Engine(
        INFO, [_rule(check=lambda view: seen.append(view.past("x", 64)[:, 0].tolist()))]
    )
    _feed(engine, range(500))
    assert seen[30] == list(range(31))
    assert seen[499] == list(range(436, 500))


def test_the_first_steps_are_kept() -> None:
    seen: list[list[float]] = []
    engine = Engine(
        INFO, [_rule(check=lambda view: seen.append(view.early("x", 3)[:, 0].tolist()))]
    )
    _feed(engine, range(300))
    assert seen[1] == [0, 1]
    assert seen[299] == [0, 1, 2, 3]


def test_one_rule_silences_another_within_the_same_record() -> None:
    loud = _rule(name="loud", code="GH601", group="loss", hold=1)
    quiet = _rule(name="quiet", inhibited_by=("loud",), hold=1)
    engine = Engine(INFO, [quiet, loud])
    assert [event.finding.rule for event in _feed(engine, [5, 5])] == ["loud"]
    assert _state(engine, "quiet") == ("not evaluated", "meaningless while `loud` holds")


def test_a_silenced_finding_stays_as_it_was() -> None:
    loud = _rule(name="loud", code="GH601", group="loss", hold=1, limits={"info": 4})
    quiet = _rule(name="quiet", inhibited_by=("loud",), hold=1)
    engine = Engine(INFO, [quiet, loud])
    _feed(engine, [2, 2, 5, 5, 5])
    ended = {finding.rule: (finding.last_step, finding.open) for finding in engine.findings}
    assert ended == {"quiet": (1, True), "loud": (4, True)}


def _chain(onsets: dict[str, int], explained_by: dict[str, tuple[str, ...]]) -> list[Finding]:
    """Findings of rules that fire from their onset on, in the causal order of the names."""
    codes = dict(zip(sorted(onsets), ("GH301", "GH401", "GH501"), strict=False))
    groups = {"GH301": "step", "GH401": "activation", "GH501": "gradient"}

    def check(onset: int) -> Callable[[View], Sign | None]:
        return lambda view: _check(view) if view.record.step >= onset else None

    rules = [
        _rule(
            name=name, code=codes[name], group=groups[codes[name]], hold=1,
            check=check(onset), explained_by=explained_by.get(name, ()),
        )
        for name, onset in onsets.items()
    ]  # fmt: skip
    engine = Engine(INFO, rules)
    _feed(engine, [5] * 20)
    return engine.findings


def test_consequences_follow_their_root_even_through_another_consequence() -> None:
    findings = _chain({"a": 0, "b": 4, "c": 9}, {"b": ("a",), "c": ("b",)})
    assert [(f.rule, f.caused_by, f.cause_of) for f in findings] == [
        ("a", "", ("b", "c")),
        ("b", "a", ()),
        ("c", "a", ()),
    ]


def test_the_earliest_of_several_causes_is_the_root() -> None:
    findings = _chain({"a": 4, "b": 0, "c": 9}, {"c": ("a", "b")})
    assert {f.rule: f.caused_by for f in findings} == {"a": "", "b": "", "c": "b"}


def test_with_the_same_onset_the_causal_order_decides() -> None:
    findings = _chain({"a": 3, "b": 3}, {"a": ("b",), "b": ("a",)})
    assert {f.rule: f.caused_by for f in findings} == {"a": "", "b": "a"}


def test_what_began_later_is_no_cause_and_time_alone_links_nothing() -> None:
    findings = _chain({"a": 9, "b": 4, "c": 12}, {"b": ("a",)})
    assert [f.caused_by for f in findings] == ["", "", ""]


def test_a_new_link_is_told_for_both_ends() -> None:
    cause = _rule(name="cause", hold=1)
    effect = _rule(name="effect", code="GH401", group="activation", explained_by=("cause",))
    events = _feed(Engine(INFO, [cause, effect]), [5, 5])
    assert [(e.kind, e.finding.rule) for e in events] == [
        ("opened", "cause"),
        ("changed", "cause"),
        ("opened", "effect"),
    ]


def _cause_and_effect() -> Engine:
    """A rule of row `a`, and one of row `b` that it explains."""
    cause = _rule(name="cause", hold=1)
    effect = _rule(name="effect", code="GH401", group="activation", hold=1, explained_by=("cause",))
    return Engine(INFO, [cause, effect], ignore={"cause": "^b$", "effect": "^a$"})


@pytest.mark.parametrize(
    ("a", "b", "severities"),
    [
        (2.5, 5, {"cause": "error", "effect": "error"}),
        (2.5, 1.5, {"cause": "warning", "effect": "info"}),
        (5, 2.5, {"cause": "error", "effect": "warning"}),
        (1.5, 5, {"cause": "info", "effect": "error"}),  # information is nobody's root
    ],
)
def test_a_root_is_as_severe_as_the_worst_that_it_leads_to(
    a: float, b: float, severities: dict[str, str]
) -> None:
    engine = _cause_and_effect()
    engine.feed(_record(0, a, b))
    assert {finding.rule: finding.severity for finding in engine.findings} == severities


def test_a_raised_root_is_told_anew_when_its_own_sign_gets_worse() -> None:
    engine = _cause_and_effect()
    engine.feed(_record(0, 2.5, 5))
    raised = engine.findings[0]
    assert (raised.rule, raised.severity, raised.title) == ("cause", "error", "x is 2.5")
    (event,) = engine.feed(_record(1, 5, 5))
    assert (event.kind, event.finding.rule) == ("changed", "cause")
    assert (event.finding.severity, event.finding.title) == ("error", "x is 5")


def test_a_raised_root_stays_raised_when_the_consequence_is_over() -> None:
    engine = _cause_and_effect()
    engine.feed(_record(0, 2.5, 5))
    for step in range(1, 6):
        engine.feed(_record(step, 2.5, 0))
    assert [(f.rule, f.severity, f.open) for f in engine.findings] == [
        ("cause", "error", True),
        ("effect", "error", False),
    ]


def test_ignoring_a_rule_switches_it_off() -> None:
    engine = Engine(INFO, [_rule()], ignore={"toy": True})
    assert _feed(engine, [5] * 5) == []
    assert _state(engine) == ("not evaluated", "ignored on request")


def test_ignoring_rows_leaves_the_others() -> None:
    engine = Engine(INFO, [_rule(hold=1)], ignore={"toy": "^a$"})
    assert engine.feed(_record(0, 5, 0)) == []
    (event,) = engine.feed(_record(1, 5, 5))
    assert event.finding.layers == ("b",)


def test_a_limit_can_be_replaced() -> None:
    assert _feed(Engine(INFO, [_rule()], limits={"toy": {"info": 6}}), [5] * 5) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ignore": {"deaf": True}}, r"ignore names the unknown rule 'deaf'; there is: toy"),
        ({"ignore": {"toy": "("}}, r"ignore\['toy'\] = '\(' is not a regular expression"),
        ({"ignore": {"toy": 3}}, r"ignore\['toy'\] is 3; accepted are True, False or"),
        ({"limits": {"deaf": {}}}, r"limits names the unknown rule 'deaf'; there is: toy"),
        ({"limits": {"toy": 3}}, r"limits\['toy'\] is 3; accepted is a dict of info"),
        ({"limits": {"toy": {"low": 3}}}, r"unknown limit 'low'; there is: info"),
        ({"limits": {"toy": {"info": "3"}}}, r"is '3'; accepted are finite numbers"),
        ({"limits": {"toy": {"info": np.nan}}}, r"is nan; accepted are finite numbers"),
    ],
)
def test_wrong_settings_are_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Engine(INFO, [_rule()], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([_rule(), _rule(code="GH302")], "more than one rule is called toy"),
        ([_rule(), _rule(name="other")], "more than one rule is called GH301"),
        ([_rule(explained_by=("ghost",))], "refers to unknown rules: ghost"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(rules: list[Rule], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate(rules)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Toy"}, "snake_case"),
        ({"code": "GH401"}, "has codes GH301 to GH399"),
        ({"hold": 0}, "must be >= 1"),
    ],
)
def test_a_rule_that_breaks_a_convention_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _rule(**changes)
