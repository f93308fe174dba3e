from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIEW_UNSPECIFIED: _ClassVar[View]
    VIEW_ANTERIOR: _ClassVar[View]
    VIEW_POSTERIOR: _ClassVar[View]
VIEW_UNSPECIFIED: View
VIEW_ANTERIOR: View
VIEW_POSTERIOR: View

class ObjectStored(_message.Message):
    __slots__ = ("study", "digest", "association", "stored_at", "caller")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ASSOCIATION_FIELD_NUMBER: _ClassVar[int]
    STORED_AT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    study: str
    digest: str
    association: str
    stored_at: float
    caller: str
    def __init__(self, study: _Optional[str] = ..., digest: _Optional[str] = ..., association: _Optional[str] = ..., stored_at: _Optional[float] = ..., caller: _Optional[str] = ...) -> None: ...

class AssociationEnded(_message.Message):
    __slots__ = ("association", "studies", "ended_at", "caller")
    ASSOCIATION_FIELD_NUMBER: _ClassVar[int]
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    association: str
    studies: _containers.RepeatedScalarFieldContainer[str]
    ended_at: float
    caller: str
    def __init__(self, association: _Optional[str] = ..., studies: _Optional[_Iterable[str]] = ..., ended_at: _Optional[float] = ..., caller: _Optional[str] = ...) -> None: ...

class Arrival(_message.Message):
    __slots__ = ("stored", "ended")
    STORED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    stored: ObjectStored
    ended: AssociationEnded
    def __init__(self, stored: _Optional[_Union[ObjectStored, _Mapping]] = ..., ended: _Optional[_Union[AssociationEnded, _Mapping]] = ...) -> None: ...

class SelectedView(_message.Message):
    __slots__ = ("view", "digest", "sop_class_uid", "sop_instance_uid", "frame", "rule", "confidence", "flags")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SOP_CLASS_UID_FIELD_NUMBER: _ClassVar[int]
    SOP_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    view: View
    digest: str
    sop_class_uid: str
    sop_instance_uid: str
    frame: int
    rule: str
    confidence: str
    flags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, view: _Optional[_Union[View, str]] = ..., digest: _Optional[str] = ..., sop_class_uid: _Optional[str] = ..., sop_instance_uid: _Optional[str] = ..., frame: _Optional[int] = ..., rule: _Optional[str] = ..., confidence: _Optional[str] = ..., flags: _Optional[_Iterable[str]] = ...) -> None: ...

class StudyReady(_message.Message):
    __slots__ = ("study", "revision", "views", "notes", "synthetic", "last_stored_at", "ready_at", "caller", "probe")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    SYNTHETIC_FIELD_NUMBER: _ClassVar[int]
    LAST_STORED_AT_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    study: str
    revision: int
    views: _containers.RepeatedCompositeFieldContainer[SelectedView]
    notes: _containers.RepeatedScalarFieldContainer[str]
    synthetic: bool
    last_stored_at: float
    ready_at: float
    caller: str
    probe: bool
    def __init__(self, study: _Optional[str] = ..., revision: _Optional[int] = ..., views: _Optional[_Iterable[_Union[SelectedView, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., synthetic: _Optional[bool] = ..., last_stored_at: _Optional[float] = ..., ready_at: _Optional[float] = ..., caller: _Optional[str] = ..., probe: _Optional[bool] = ...) -> None: ...
