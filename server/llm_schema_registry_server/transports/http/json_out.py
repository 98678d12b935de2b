"""From an answer to JSON: the proto mapping with snake_case names, and with every field that has no presence.

A reader of JSON wants to see `"compatible": false` rather than nothing.
"""

from __future__ import annotations

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message


def render(answer: Message) -> bytes:
    """One line of JSON."""
    tree = json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return orjson.dumps(tree)
