"""From an answer to JSON: the proto mapping with snake_case names, and with every field that has no presence.

A reader of JSON wants to see `"compatible": false` rather than nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import orjson
from google.protobuf.message import Message

from ...rpc.protobuf.shared_answer import Answer, SharedAnswer
from .proto_json import tree_of

# Bytes of a serialized answer that takes some milliseconds to render when it is made of small fields.
_LARGE = 16_384


def render(answer: Answer) -> bytes:
    """One line of JSON."""
    return answer.written(_rendered) if isinstance(answer, SharedAnswer) else _rendered(answer)


async def render_large(answer: Message, tag: Callable[[bytes], str] | None) -> tuple[bytes, str]:
    """As `render`, and what `tag` makes of it, "" without one; without holding up the event loop for what takes long."""
    size = answer.ByteSize()
    work = partial(_rendered_with, answer, tag)
    return work() if size <= _LARGE else await asyncio.to_thread(work)


def _rendered_with(answer: Message, tag: Callable[[bytes], str] | None) -> tuple[bytes, str]:
    rendered = render(answer)
    return rendered, "" if tag is None else tag(rendered)


def shared_text(answer: Answer) -> str:
    """One line of JSON as text, decoded once for all who send the answer."""
    return answer.written(_text) if isinstance(answer, SharedAnswer) else _text(answer)


def _text(message: Message) -> str:
    return _rendered(message).decode()


def _rendered(message: Message) -> bytes:
    # A copy: orjson's own bytes keep the room that it wrote in, up to eight times what they need, and answers are kept.
    return memoryview(orjson.dumps(tree_of(message))).tobytes()
