"""What parent and child say to each other, as bytes: length-prefixed frames, requests and answers. Pure.

Requests are pickles (a child trusts its parent). Answers are a byte for good or bad and a checked value (`values`).
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_schema_engines.formats.engine import ParsedSchema
from llm_schema_engines.model.compatibility import Comparison
from llm_schema_engines.model.difference import Differences

from .. import errors
from ..errors import FieldViolation, InvalidSchema, RegistryError, SchemaIssue
from .codec import MalformedValue, dump, load
from .tasks import (
    Compare,
    Convert,
    Converted,
    Diff,
    Parse,
    Task,
    TaskResult,
)

HEADER = struct.Struct("!I")
MAX_FRAME = 64 * 1024 * 1024
"""Largest frame in bytes; a child that announces more is broken."""

GOOD, BAD = b"+", b"-"

ANSWERS: Mapping[type[Task], type[TaskResult]] = {
    Parse: ParsedSchema,
    Compare: Comparison,
    Diff: Differences,
    Convert: Converted,
}


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a child: whose child it is, how to make the engines, and its bounds.

    `engines` names a function `package.module:function` that is called with `arguments` and returns Engines.
    """

    parent: int
    engines: str
    arguments: tuple[object, ...]
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """A task, and the seconds of CPU that it may take at most."""

    task: Task
    seconds: float


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


def encode_request(message: Setup | Request) -> bytes:
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def decode_request(data: bytes) -> Any:  # Setup or Request; the child knows which comes when
    return pickle.loads(data)


def encode_answer(answer: TaskResult | RegistryError) -> bytes:
    if isinstance(answer, RegistryError):
        issues = answer.issues if isinstance(answer, InvalidSchema) else ()
        failure = _Failure(
            type(answer).__name__, answer.message, answer.violations, answer.metadata, tuple(issues)
        )
        return BAD + dump(failure)
    return GOOD + dump(answer)


def decode_answer(task: Task, data: bytes) -> TaskResult | RegistryError:
    """The answer to `task`; raises BadAnswer when the bytes are none."""
    if data[:1] == GOOD:
        return load(ANSWERS[type(task)], data[1:])
    if data[:1] == BAD:
        return _error(load(_Failure, data[1:]))
    raise MalformedValue("neither a result nor an error")


def _error(failure: _Failure) -> RegistryError:
    kind = vars(errors).get(failure.name)
    if not (isinstance(kind, type) and issubclass(kind, RegistryError)):
        raise MalformedValue(f"no error is called {failure.name!r}")
    # Classes of the family take facts of their own to make a message of; here the message is made already.
    error = kind.__new__(kind)
    RegistryError.__init__(error, failure.message, violations=failure.violations, **failure.metadata)
    if isinstance(error, InvalidSchema):
        error.issues = failure.issues
    return error
