"""What the server and a worker process say to each other, as bytes: length-prefixed frames, requests and answers. Pure.

Requests are pickles: a worker process trusts the server, and a schema that is referenced twice is sent once. They are made in
parts, of which the large ones are the contents themselves: a schema may reference 64 MiB, and copying that would hold up the
event loop. Answers are a byte for good or bad and a checked value (`codec`).
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import errors
from ..errors import FieldViolation, InvalidSchema, LimitExceeded, RegistryError, SchemaIssue
from ..telemetry.context import NONE, CallContext
from .codec import MAX_VALUES, MalformedValue, TooManyValues, dump, load
from .task import R, Task, result_type

HEADER = struct.Struct("!I")
MAX_FRAME = 64 * 1024 * 1024
"""Largest answer in bytes; a worker process that announces more is broken."""

GOOD, BAD, TIMED = b"+", b"-", b"@"
_TIMES = struct.Struct("!QQ")


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a worker process: whose child it is, how to make the engines, and its bounds.

    `engines` names a function `package.module:function` that is called with `arguments` and returns Engines.
    """

    parent: int
    engines: str
    arguments: tuple[object, ...]
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """A task, the seconds of CPU that it may take at most, and the call that it belongs to."""

    task: Task[Any]
    seconds: float
    context: CallContext = NONE


@dataclass(frozen=True, slots=True)
class _Failure:
    """A RegistryError on its way: the class by name, and its facts."""

    name: str
    message: str
    violations: tuple[FieldViolation, ...]
    metadata: Mapping[str, str]
    issues: tuple[SchemaIssue, ...]


def frame(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a pickler writes to. It writes a `bytes` of 64 KiB or more as it is, without a copy."""

    parts: list[bytes] = field(default_factory=list)

    def write(self, part: bytes) -> None:
        self.parts.append(part)


def encode_request(message: Setup | Request) -> Sequence[bytes]:
    """A whole frame, in parts that are to be sent one after the other."""
    written = _Parts()
    pickle.Pickler(written, pickle.HIGHEST_PROTOCOL).dump(message)
    return [HEADER.pack(sum(map(len, written.parts))), *written.parts]


def decode_request(data: bytes) -> Any:  # Setup first, then Requests
    return pickle.loads(data)


def encode_answer(answer: object) -> bytes:
    """A result, or a RegistryError. A result that is too large to be sent becomes a LimitExceeded."""
    if isinstance(answer, RegistryError):
        return BAD + dump(_failure(answer))
    try:
        data = dump(answer)
    except TooManyValues:
        return encode_answer(_too_large(f"{MAX_VALUES:,} values", MAX_VALUES))
    if len(data) >= MAX_FRAME:
        return encode_answer(_too_large(f"{MAX_FRAME:,} bytes", MAX_FRAME))
    return GOOD + data


def timed(answer: bytes, began_ns: int, ended_ns: int) -> bytes:
    """An answer that also says when the work began and ended, in nanoseconds since 1970: for the span of a traced call."""
    return TIMED + _TIMES.pack(began_ns, ended_ns) + answer


def times_of(data: bytes) -> tuple[tuple[int, int] | None, bytes]:
    """When the work was done, if that is said, and the answer itself. Raises MalformedValue."""
    if data[:1] != TIMED:
        return None, data
    if len(data) < 1 + _TIMES.size:
        raise MalformedValue("its times are cut off")
    began, ended = _TIMES.unpack_from(data, 1)
    return (began, ended), data[1 + _TIMES.size :]


def decode_answer(task: Task[R], data: bytes) -> R | RegistryError:
    """The answer to `task`; raises MalformedValue when the bytes are none."""
    if data[:1] == GOOD:
        result: R = load(result_type(type(task)), data[1:])
        return result
    if data[:1] == BAD:
        return _error(load(_Failure, data[1:]))
    raise MalformedValue("neither a result nor an error")


def _failure(error: RegistryError) -> _Failure:
    issues = error.issues if isinstance(error, InvalidSchema) else ()
    return _Failure(type(error).__name__, error.message, error.violations, error.metadata, tuple(issues))


def _too_large(limit: str, number: int) -> LimitExceeded:
    return LimitExceeded(f"the result is larger than {limit}; make the schema smaller", limit=number)


def _error(failure: _Failure) -> RegistryError:
    kind = vars(errors).get(failure.name)
    if not (isinstance(kind, type) and issubclass(kind, RegistryError)):
        raise MalformedValue(f"no error is called {failure.name[:80]!r}")
    # Subclasses make the message of arguments of their own; here the message is made already.
    error = kind.__new__(kind)
    RegistryError.__init__(error, failure.message, violations=failure.violations, **failure.metadata)
    if isinstance(error, InvalidSchema):
        error.issues = failure.issues
    return error
