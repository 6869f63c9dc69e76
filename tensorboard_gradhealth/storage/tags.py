"""The raw points of one run, by tag: from a log on this machine, or from a data provider."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
from tensorboard.data import provider as provider_lib

from tensorboard_gradhealth.storage import metadata
from tensorboard_gradhealth.storage.memory import Memory
from tensorboard_gradhealth.storage.metadata import UnreadableRun
from tensorboard_gradhealth.storage.points import Points, block_of, last_written

_MANY_POINTS = 10**9
"""Asks a provider for every point it keeps; 0 would ask for none."""

_MAX_REPLY_BYTES = 200 * 2**20
"""TensorBoard's data server refuses to send more than 256 MiB at once."""


class UnknownName(LookupError):
    """A run or signal that does not exist; the message says what was asked for."""


class Tags(Protocol):
    """The tags of a run.

    Attributes:
      names: Of the tags.
    """

    names: tuple[str, ...]

    def read(self, tag: str, value_bytes: int = 1) -> Points:
        """Returns the points of a tag in the order of the log; none if there is no such tag.

        Args:
          tag: Its name.
          value_bytes: Of one point, by which so many are asked for as a data server can send.

        Raises:
          UnreadableRun: They cannot be decoded.
        """
        ...


class ProvidedTags:
    """Tags of a data provider. It sends whole tags only, which are kept while they stay as is."""

    def __init__(
        self, provider: Any, ctx: Any, experiment_id: str, run: str, memory: Memory
    ) -> None:
        """Lists the tags.

        Raises:
          UnknownName: The run does not exist or holds nothing of this plugin.
          UnreadableRun: It was written by a newer version, or its metadata is damaged.
        """
        ask = {"experiment_id": experiment_id, "plugin_name": metadata.PLUGIN_NAME}
        only_this = provider_lib.RunTagFilter(runs=[run])
        self._listing = provider.list_tensors(ctx, **ask, run_tag_filter=only_this).get(run)
        if not self._listing:
            raise unknown_run(run)
        for item in self._listing.values():
            metadata.parse_plugin_metadata(item.plugin_content)
        self._run = run
        self._memory = memory
        self._key = experiment_id, run
        self._source = functools.partial(provider.read_tensors, ctx, **ask)
        self.names = tuple(self._listing)

    def read(self, tag: str, value_bytes: int = 1) -> Points:
        """See `Tags`."""
        listed = self._listing.get(tag)
        if listed is None:
            return Points.none()
        downsample = max(1, min(_MANY_POINTS, _MAX_REPLY_BYTES // value_bytes))
        state = listed.max_step, listed.max_wall_time, downsample

        def read(_: Points | None) -> Points:
            only_this = provider_lib.RunTagFilter(runs=[self._run], tags=[tag])
            with explaining(f"`{tag}`"):
                found = self._source(run_tag_filter=only_this, downsample=downsample)
                return _points(found.get(self._run, {}).get(tag, []))

        return self._memory.get((*self._key, tag), state, read, Points.size)


def last_text(tags: Tags, tag: str, default: str) -> str:
    """Returns the text that was written last under a tag."""
    points = tags.read(tag)
    return text(last_written(points)) if len(points.steps) else default


def unknown_run(run: str) -> UnknownName:
    """What to raise for a run that does not exist or holds nothing of this plugin."""
    return UnknownName(f"There is no run {run!r} with data of Gradient Health.")


def _points(data: Sequence[provider_lib.TensorDatum]) -> Points:
    return Points(
        np.array([datum.step for datum in data], np.int64),
        np.array([datum.wall_time for datum in data], np.float64),
        block_of(None, (datum.numpy for datum in data), len(data)),
    )


def text(value: npt.NDArray[Any]) -> str:
    """Returns the text in a string tensor of one element."""
    return cast(bytes, value.item()).decode()


@contextmanager
def explaining(what: str) -> Iterator[None]:
    """Makes whatever a damaged value raises deep in a decoder an `UnreadableRun`."""
    try:
        yield
    except UnreadableRun:
        raise
    except Exception as error:
        raise UnreadableRun(f"Cannot read {what}: {type(error).__name__}: {error}") from error
