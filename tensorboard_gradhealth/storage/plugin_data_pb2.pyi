from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PluginData(_message.Message):
    __slots__ = ("version", "kind")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[PluginData.Kind]
        SIGNAL: _ClassVar[PluginData.Kind]
        WINDOW: _ClassVar[PluginData.Kind]
        ROWS: _ClassVar[PluginData.Kind]
        SIGNALS: _ClassVar[PluginData.Kind]
        FACTS: _ClassVar[PluginData.Kind]
        FINDINGS: _ClassVar[PluginData.Kind]
        FLIGHT: _ClassVar[PluginData.Kind]
        FLIGHT_INFO: _ClassVar[PluginData.Kind]
    KIND_UNSPECIFIED: PluginData.Kind
    SIGNAL: PluginData.Kind
    WINDOW: PluginData.Kind
    ROWS: PluginData.Kind
    SIGNALS: PluginData.Kind
    FACTS: PluginData.Kind
    FINDINGS: PluginData.Kind
    FLIGHT: PluginData.Kind
    FLIGHT_INFO: PluginData.Kind
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    version: int
    kind: PluginData.Kind
    def __init__(self, version: _Optional[int] = ..., kind: _Optional[_Union[PluginData.Kind, str]] = ...) -> None: ...
