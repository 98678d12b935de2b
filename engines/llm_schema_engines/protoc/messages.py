"""What the parent and the child of a compilation say to each other, as JSON text. Pure.

The child may have been taken over by what it compiled, so its answer is data of which every type is checked.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from ..model.compilation import Compiled, CompileJob, CompilerMessage

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}")

OUT_OF_MEMORY = 77
"""Exit status of a child that asked for more memory than it may have."""
NOT_STARTED = 78
"""Exit status of a child that could not load the compiler; its standard error says why."""


class MalformedAnswer(Exception):
    """The child's output is no answer."""


def check_paths(job: CompileJob) -> None:
    """Raises ValueError for an import path that protoc's command line would misread."""
    for path in (job.root, *job.sources):
        if not _NAME.fullmatch(path):
            raise ValueError(f"{path!r} cannot be an import path")


def encode_job(job: CompileJob) -> bytes:
    sources = {path: _text(source) for path, source in job.sources.items()}
    return json.dumps([job.root, sources, _text(job.descriptors)]).encode()


def decode_job(data: bytes) -> CompileJob:
    """The job that `encode_job` wrote; the child trusts its parent."""
    root, sources, descriptors = json.loads(data)
    return CompileJob(root, {path: _bytes(text) for path, text in sources.items()}, _bytes(descriptors))


def encode_answer(compiled: Compiled) -> bytes:
    messages = [[m.text, m.file, m.line, m.column, m.warning] for m in compiled.messages]
    return json.dumps([_text(compiled.descriptors), messages]).encode()


def decode_answer(data: bytes) -> Compiled:
    """What the child found; raises MalformedAnswer unless `data` is what `encode_answer` writes."""
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(f"not JSON: {error}") from None
    match content:
        case [str(descriptors), list(messages)]:
            try:
                return Compiled(_bytes(descriptors), tuple(map(_message, messages)))
            except ValueError as error:  # also what base64 raises
                raise MalformedAnswer(str(error)) from None
    raise MalformedAnswer("not descriptors and messages")


def _message(value: Any) -> CompilerMessage:
    match value:
        case [str(text), str(file), int(line), int(column), bool(warning)]:
            return CompilerMessage(text, file, int(line), int(column), warning=warning)
    raise MalformedAnswer("not a message of the compiler")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
