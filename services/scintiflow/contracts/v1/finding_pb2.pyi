from scintiflow.contracts.v1 import study_pb2 as _study_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Code(_message.Message):
    __slots__ = ("value", "scheme", "meaning")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    value: str
    scheme: str
    meaning: str
    def __init__(self, value: _Optional[str] = ..., scheme: _Optional[str] = ..., meaning: _Optional[str] = ...) -> None: ...

class HeatMap(_message.Message):
    __slots__ = ("height", "width", "values")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    values: bytes
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., values: _Optional[bytes] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("study", "revision", "model", "model_version", "model_digest", "status", "reason", "label", "question", "site", "probability", "threshold", "positive", "engine", "precision", "map", "views", "notes", "found_at")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Finding.Status]
        STATUS_ASSESSED: _ClassVar[Finding.Status]
        STATUS_NOT_ASSESSED: _ClassVar[Finding.Status]
        STATUS_SHADOW: _ClassVar[Finding.Status]
    STATUS_UNSPECIFIED: Finding.Status
    STATUS_ASSESSED: Finding.Status
    STATUS_NOT_ASSESSED: Finding.Status
    STATUS_SHADOW: Finding.Status
    STUDY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    FOUND_AT_FIELD_NUMBER: _ClassVar[int]
    study: str
    revision: int
    model: str
    model_version: str
    model_digest: str
    status: Finding.Status
    reason: str
    label: str
    question: Code
    site: Code
    probability: float
    threshold: float
    positive: bool
    engine: str
    precision: str
    map: HeatMap
    views: _containers.RepeatedCompositeFieldContainer[_study_pb2.SelectedView]
    notes: _containers.RepeatedScalarFieldContainer[str]
    found_at: float
    def __init__(self, study: _Optional[str] = ..., revision: _Optional[int] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., model_digest: _Optional[str] = ..., status: _Optional[_Union[Finding.Status, str]] = ..., reason: _Optional[str] = ..., label: _Optional[str] = ..., question: _Optional[_Union[Code, _Mapping]] = ..., site: _Optional[_Union[Code, _Mapping]] = ..., probability: _Optional[float] = ..., threshold: _Optional[float] = ..., positive: _Optional[bool] = ..., engine: _Optional[str] = ..., precision: _Optional[str] = ..., map: _Optional[_Union[HeatMap, _Mapping]] = ..., views: _Optional[_Iterable[_Union[_study_pb2.SelectedView, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., found_at: _Optional[float] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("name", "kind", "model", "sop_class_uid", "sop_instance_uid", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOP_CLASS_UID_FIELD_NUMBER: _ClassVar[int]
    SOP_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    model: str
    sop_class_uid: str
    sop_instance_uid: str
    digest: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., model: _Optional[str] = ..., sop_class_uid: _Optional[str] = ..., sop_instance_uid: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class ResultReady(_message.Message):
    __slots__ = ("study", "revision", "destination", "results", "last_stored_at", "ready_at", "caller")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    LAST_STORED_AT_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    study: str
    revision: int
    destination: str
    results: _containers.RepeatedCompositeFieldContainer[Result]
    last_stored_at: float
    ready_at: float
    caller: str
    def __init__(self, study: _Optional[str] = ..., revision: _Optional[int] = ..., destination: _Optional[str] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., last_stored_at: _Optional[float] = ..., ready_at: _Optional[float] = ..., caller: _Optional[str] = ...) -> None: ...
