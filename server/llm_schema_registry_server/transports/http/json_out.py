"""From an answer to JSON: the proto mapping with snake_case names, and with every field that has no presence.

A reader of JSON wants to see `"compatible": false` rather than nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

# A change goes to a thousand subscribers within moments: render it once. Larger ones are not worth the memory.
_SHARED, _SHARED_BYTES = 256, 16 * 1024


def render(answer: Message) -> bytes:
    """One line of JSON."""
    tree = json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return orjson.dumps(tree)


def render_shared(answer: Message) -> bytes:
    """As `render`, for what many are likely to be told at the same time."""
    written = answer.SerializeToString()
    return _rendered(type(answer).FromString, written) if len(written) <= _SHARED_BYTES else render(answer)


@lru_cache(maxsize=_SHARED)
def _rendered(parse: Callable[[bytes], Message], written: bytes) -> bytes:
    return render(parse(written))
