"""The routes of the plugin: parse a request, ask `queries`, respond. See docs/http_api.md.

All routes only read: TensorBoard checks neither method, host nor origin of a request.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from tensorboard_gradhealth.backend import blocks, queries, static_files
from tensorboard_gradhealth.backend.answers import BINARY, JSON, Answer, Body, as_json
from tensorboard_gradhealth.backend.judging import RuleSheet, parse_limits
from tensorboard_gradhealth.backend.runs import Runs
from tensorboard_gradhealth.storage.memory import Memory
from tensorboard_gradhealth.storage.metadata import PLUGIN_NAME
from tensorboard_gradhealth.storage.reader import UnknownName, UnreadableRun
from tensorboard_gradhealth.types import Json

Route = Callable[[Any, Any], Any]

_LARGEST = 2**63 - 1
"""No step, row or point in a log has a larger number."""


class _Where(NamedTuple):
    """What every call of a data provider has to be given."""

    ctx: Any
    experiment_id: str


class _UnreadableError(errors.PublicError):
    http_code = 422


class GradientHealthPlugin(base_plugin.TBPlugin):
    """Serves diagnoses and signals of the runs in the log directory."""

    plugin_name = PLUGIN_NAME

    def __init__(self, runs: Runs, memory: Memory, sheets: Sequence[RuleSheet]) -> None:
        """Takes the runs to show, where to keep answers, and the rules to tell of."""
        self._runs = runs
        self._memory = memory
        self._sheets = sheets

    def get_plugin_apps(self) -> dict[str, Any]:
        """See `TBPlugin.get_plugin_apps`."""
        return {
            "/runs": self._serve(self._runs_route),
            "/run": self._serve(self._run_route),
            "/series": self._serve(self._series_route),
            "/flight": self._serve(self._flight_route),
            "/rules": self._serve(self._rules_route),
            "/replay": self._serve(self._replay_route),
            "/static/*": self._serve(self._static_route),
        }

    def is_active(self) -> bool:
        """See `TBPlugin.is_active`: TensorBoard itself sees whether a log holds our data."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """See `TBPlugin.frontend_metadata`."""
        return base_plugin.FrontendMetadata(
            es_module_path=f"/static/{static_files.ENTRY}", tab_name="Gradient Health"
        )

    def _serve(self, route: Route) -> Any:
        """Turns a route into a WSGI application that answers failures with one plain sentence."""

        @functools.wraps(route)
        def respond(request: Any) -> Any:
            environ = request.environ
            where = _Where(plugin_util.context(environ), plugin_util.experiment_id(environ))
            try:
                return route(request, where)
            except UnknownName as error:
                raise errors.NotFoundError(_sentence(error)) from error
            except queries.BadArgument as error:
                raise errors.InvalidArgumentError(_sentence(error)) from error
            except UnreadableRun as error:
                raise _UnreadableError(_sentence(error)) from error

        return wrappers.Request.application(respond)

    def _runs_route(self, request: Any, where: _Where) -> Any:
        def answer() -> Json:
            return queries.runs(self._runs.diagnoses(*where))

        state = tuple(self._runs.states(*where).items())
        return self._respond(request, where, state, lambda: as_json(answer()), JSON)

    def _run_route(self, request: Any, where: _Where) -> Any:
        run = _argument(request, "run")

        def answer() -> Json:
            diagnosis = self._runs.diagnosis(*where, run)
            reader = None if diagnosis.reason else self._runs.reader(*where, run)
            return queries.run(diagnosis, reader)

        state = self._runs.state(*where, run)
        return self._respond(request, where, state, lambda: as_json(answer()), JSON)

    def _series_route(self, request: Any, where: _Where) -> Any:
        run, signal = _argument(request, "run"), _argument(request, "signal")
        part = blocks.Part(
            fields=request.args["fields"].split(",") if "fields" in request.args else None,
            rows=_whole_numbers(request, "rows"),
            points=next(iter(_whole_numbers(request, "points") or ()), None),
            steps=_steps(request),
        )

        def answer() -> Body:
            return blocks.series(self._runs.reader(*where, run), signal, part)

        return self._respond(request, where, self._runs.state(*where, run), answer, BINARY)

    def _flight_route(self, request: Any, where: _Where) -> Any:
        run, finding = _argument(request, "run"), _argument(request, "finding")
        signal = _argument(request, "signal")

        def answer() -> Body:
            return blocks.flight(self._runs.reader(*where, run), finding, signal)

        return self._respond(request, where, self._runs.state(*where, run), answer, BINARY)

    def _rules_route(self, request: Any, where: _Where) -> Any:
        return http_util.Respond(request, queries.rules(self._sheets), "application/json")

    def _replay_route(self, request: Any, where: _Where) -> Any:
        run = _argument(request, "run")
        try:
            limits = parse_limits(json.loads(_argument(request, "limits")))
            verdict = self._runs.replay(*where, run, limits)
        except (ValueError, RecursionError) as error:  # the latter: brackets within brackets
            raise queries.BadArgument(str(error)) from error
        answer = queries.replay(run, limits, verdict.findings, verdict.states)
        return http_util.Respond(request, answer, "application/json")

    def _respond(
        self, request: Any, where: _Where, state: Hashable, make: Callable[[], Body], kind: str
    ) -> Any:
        """Answers with what was made of the same state before, if it was."""
        key = "answer", where.experiment_id, request.path, request.query_string
        answer = self._memory.get(key, state, lambda _: Answer.of(make()), Answer.size)
        return answer.respond(request, kind)

    def _static_route(self, request: Any, where: _Where) -> Any:
        name = request.path.partition("/static/")[2]
        found = static_files.load(name)
        if found is None:
            raise errors.NotFoundError(f"There is no file {name!r}.")
        content, kind = found
        return _text(content).respond(request, kind)


@functools.lru_cache(maxsize=4)
def _text(content: bytes) -> Answer:
    """Returns the answer of a file: to compress it for each page that opens would delay them."""
    return Answer.of_text(content)


def _sentence(error: Exception) -> str:
    """Returns what an error says, without the halves of characters that JSON lets through."""
    return str(error).encode(errors="backslashreplace").decode()


def _argument(request: Any, name: str) -> str:
    value = request.args.get(name)
    if not value:
        raise queries.BadArgument(f"The argument {name!r} is missing.")
    return str(value)


def _whole_numbers(request: Any, name: str) -> list[int] | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise queries.BadArgument(f"{name} is {text!r}; give whole numbers.") from None
    if max(map(abs, numbers)) > _LARGEST:
        raise queries.BadArgument(f"{name} is {text!r}; give numbers up to {_LARGEST}.")
    return numbers


def _steps(request: Any) -> tuple[float, float] | None:
    numbers = _whole_numbers(request, "steps")
    if numbers is None:
        return None
    if len(numbers) != 2:
        raise queries.BadArgument(f"steps has {len(numbers)} numbers; give the first and the last.")
    return float(numbers[0]), float(numbers[1])
