"""The raw points of one run, by tag, as a data provider hands them out."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from tensorboard.data import provider as provider_lib

from tensorboard_gradhealth.storage import metadata
from tensorboard_gradhealth.storage.metadata import UnreadableRun
from tensorboard_gradhealth.storage.points import Points, last_written

_ALL_POINTS = 10**9
"""Asks a provider for every point it keeps; 0 would ask for none."""


class UnknownName(LookupError):
    """A run or signal that does not exist; the message says what was asked for."""


class Tags:
    """Reads each tag of a run at most once."""

    def __init__(self, provider: Any, ctx: Any, experiment_id: str, run: str) -> None:
        """Lists the tags.

        Raises:
          UnknownName: The run does not exist or holds nothing of this plugin.
          UnreadableRun: It was written by a newer version, or its metadata is damaged.
        """
        ask = {"experiment_id": experiment_id, "plugin_name": metadata.PLUGIN_NAME}
        only_this = provider_lib.RunTagFilter(runs=[run])
        listing = provider.list_tensors(ctx, **ask, run_tag_filter=only_this).get(run)
        if not listing:
            raise UnknownName(f"There is no run {run!r} with data of Gradient Health.")
        for item in listing.values():
            metadata.parse_plugin_metadata(item.plugin_content)
        self._run = run
        self._points: dict[str, Points] = {}
        self._source = functools.partial(provider.read_tensors, ctx, **ask, downsample=_ALL_POINTS)
        self.names = tuple(listing)

    def read(self, tag: str) -> Points:
        """Returns the points of a tag in the order of the log; none if there is no such tag.

        Raises:
          UnreadableRun: The provider cannot decode them.
        """
        if tag not in self._points:
            with explaining(f"`{tag}`"):
                only_this = provider_lib.RunTagFilter(runs=[self._run], tags=[tag])
                data = self._source(run_tag_filter=only_this).get(self._run, {}).get(tag, [])
            self._points[tag] = Points(
                np.array([datum.step for datum in data], np.int64),
                np.array([datum.wall_time for datum in data], np.float64),
                [datum.numpy for datum in data],
            )
        return self._points[tag]

    def last_text(self, tag: str, default: str) -> str:
        """Returns the text that was written last under a tag."""
        points = self.read(tag)
        return text(last_written(points)) if len(points.steps) else default

    def forget(self, tag: str) -> None:
        """Frees the memory of a tag that will not be read again."""
        self._points.pop(tag, None)


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
