"""Tags, and the few bytes of metadata that tell TensorBoard whose they are."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import summary_pb2

from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData

PLUGIN_NAME = "gradhealth"

VERSION = 1
"""Of the log format; raised when an older reader would misread what is written."""

PREFIX = PLUGIN_NAME + "/"
WINDOW_TAG = PREFIX + "_window"
ROWS_PREFIX = PREFIX + "_rows/"
SIGNALS_TAG = PREFIX + "_signals"
FACTS_TAG = PREFIX + "_facts"
FINDINGS_TAG = PREFIX + "_findings"
FLIGHT_TAG = PREFIX + "_flight"
FLIGHT_INFO_TAG = PREFIX + "_flight_info"


class UnreadableRun(Exception):
    """A run holds data of this plugin that cannot be read; the message says why, for people."""


class NewerLogError(UnreadableRun):
    """A run was written by a version of this package that is newer than the one reading it."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The log has format version {version}, and this version of tensorboard-gradhealth "
            f"reads up to {VERSION}. Upgrade it with: pip install --upgrade tensorboard-gradhealth"
        )


def signal_tag(signal: str) -> str:
    """Returns the tag that holds a signal."""
    return PREFIX + signal


def create_summary_metadata(kind: PluginData.Kind) -> Any:
    """Returns a `SummaryMetadata` for one kind of tensor.

    `data_class` has to be set: TensorBoard fills it in for its own plugins only, and does not
    show a third party's values without it.
    """
    content = PluginData(version=VERSION, kind=kind).SerializeToString()
    return summary_pb2.SummaryMetadata(
        data_class=summary_pb2.DATA_CLASS_TENSOR,
        plugin_data=summary_pb2.SummaryMetadata.PluginData(
            plugin_name=PLUGIN_NAME, content=content
        ),
    )


def parse_plugin_metadata(content: bytes) -> PluginData:
    """Parses the `plugin_data.content` of a summary.

    Raises:
      UnreadableRun: It is not a `PluginData` message.
      NewerLogError: Its version is above the one that is known here.
    """
    try:
        data = PluginData.FromString(content)
    except DecodeError as error:
        raise UnreadableRun(f"The plugin data is not a PluginData message: {error}") from error
    if data.version > VERSION:
        raise NewerLogError(data.version)
    return data
