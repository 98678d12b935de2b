"""How a stream of answers is written into one HTTP body: an array, a line each, or server-sent events."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import orjson
from google.protobuf.message import Message

from ...calls.failure import Failure
from ...rpc.protobuf.shared_answer import Answer, SharedAnswer
from ..status import http_body
from .json_out import render

# The field of an event that says where to resume, and the one of an event that only says so.
_REVISION, _HEARTBEAT = "revision", "heartbeat"


class Style(ABC):
    """The pieces of a body. `idle` goes out when nothing else has for a while; None: nothing can."""

    content_type: str
    idle: bytes | None = None

    def opening(self) -> bytes:
        """What comes before the first item."""
        return b""

    @abstractmethod
    def item(self, answer: Answer, *, first: bool) -> bytes:
        """One answer, or each of those that it puts together."""

    @abstractmethod
    def failed(self, failure: Failure) -> bytes | None:
        """What tells of a failure in the middle; None when only a broken body can."""

    def closing(self) -> bytes:
        """What comes after the last item."""
        return b""


class JsonArray(Style):
    """One JSON array. A failure in the middle leaves it open: nobody takes half of a page for a whole one."""

    content_type = "application/json"

    def opening(self) -> bytes:
        return b"["

    def item(self, answer: Answer, *, first: bool) -> bytes:
        if isinstance(answer, SharedAnswer) and answer.parts:
            items = b",".join(map(render, answer.parts))
        else:
            items = render(answer)
        return items if first else b"," + items

    def failed(self, failure: Failure) -> bytes | None:
        return None

    def closing(self) -> bytes:
        return b"]"


class Lines(Style):
    """Newline-delimited JSON. A failure in the middle is the last line: {"error": ...}."""

    content_type = "application/x-ndjson"

    def item(self, answer: Answer, *, first: bool) -> bytes:
        return answer.written_apart(_line) if isinstance(answer, SharedAnswer) else _line(answer)

    def failed(self, failure: Failure) -> bytes | None:
        return orjson.dumps({"error": http_body(failure)}) + b"\n"


class Events(Style):
    """Server-sent events: the id of each is its revision, so that a browser resumes by itself (Last-Event-ID).

    A heartbeat is an id without data, which moves the place to resume and reaches no listener (HTML standard 9.2.6).
    """

    content_type = "text/event-stream"
    idle = b": alive\n\n"

    def opening(self) -> bytes:
        return b"retry: 2000\n\n"

    def item(self, answer: Answer, *, first: bool) -> bytes:
        return (
            answer.written_apart(_server_sent) if isinstance(answer, SharedAnswer) else _server_sent(answer)
        )

    def failed(self, failure: Failure) -> bytes | None:
        return b"event: error\ndata: " + orjson.dumps(http_body(failure)) + b"\n\n"


def _line(message: Message) -> bytes:
    return render(message) + b"\n"


def _server_sent(message: Message) -> bytes:
    revision = getattr(message, _REVISION, "")
    name = b"id: " + revision.encode() + b"\n" if revision else b""
    if getattr(message, _HEARTBEAT, False):
        return name + b"\n"
    return name + b"data: " + render(message) + b"\n\n"


# RFC 9110 12.4.2.
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
_BY_ACCEPT: Mapping[str, type[Style]] = {
    "text/event-stream": Events,
    "application/x-ndjson": Lines,
    "application/jsonl": Lines,
    "application/json": JsonArray,
}


def choose(accept: str, otherwise: type[Style]) -> Style:
    """The style that the caller prefers of those that it names, else the one of the route, or another one when the caller refuses
    that with a quality of 0 (RFC 9110 12.4.2). One that refuses everything gets the route's all the same."""
    wanted: dict[type[Style], float] = {}
    for part in accept.lower().split(","):
        name, *parameters = part.split(";")
        style = _BY_ACCEPT.get(name.strip())
        if style is not None:
            wanted[style] = max(_quality(parameters), wanted.get(style, 0.0))
    best = max(wanted, key=wanted.__getitem__, default=otherwise)  # of equal ones the first
    if wanted.get(best) == 0.0:
        acceptable = (style for style in (otherwise, *_BY_ACCEPT.values()) if style not in wanted)
        best = next(acceptable, otherwise)
    return best()


def _quality(parameters: Sequence[str]) -> float:
    """From 0 to 1; 1 when none is given, or one that is no number."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q" and _QUALITY.fullmatch(value.strip()):
            return float(value)
    return 1.0
