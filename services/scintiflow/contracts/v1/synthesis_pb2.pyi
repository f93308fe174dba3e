from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SynthesisBatch(_message.Message):
    __slots__ = ("label", "count", "seed", "counts", "load", "perugini", "tracer", "scanner", "sex", "format", "shard", "model", "model_version", "model_digest", "asked_at")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    PERUGINI_FIELD_NUMBER: _ClassVar[int]
    TRACER_FIELD_NUMBER: _ClassVar[int]
    SCANNER_FIELD_NUMBER: _ClassVar[int]
    SEX_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_FIELD_NUMBER: _ClassVar[int]
    label: str
    count: int
    seed: int
    counts: int
    load: float
    perugini: int
    tracer: str
    scanner: str
    sex: str
    format: str
    shard: int
    model: str
    model_version: str
    model_digest: str
    asked_at: float
    def __init__(self, label: _Optional[str] = ..., count: _Optional[int] = ..., seed: _Optional[int] = ..., counts: _Optional[int] = ..., load: _Optional[float] = ..., perugini: _Optional[int] = ..., tracer: _Optional[str] = ..., scanner: _Optional[str] = ..., sex: _Optional[str] = ..., format: _Optional[str] = ..., shard: _Optional[int] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., model_digest: _Optional[str] = ..., asked_at: _Optional[float] = ...) -> None: ...
