"""The language of a schema, and the digests that tell whether two schemas are the same."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .fast_init import fast_init


class SchemaType(enum.IntEnum):
    """The language of a schema; numbers are those of the wire."""

    JSON = 1
    AVRO = 2
    PROTOBUF = 3
    THRIFT = 4


@fast_init
@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Three SHA-256 digests, 64 lower-case hexadecimal digits each.

    content: the exact bytes. generation: order and annotations kept, white space gone (what can change what a
    model produces). validation: only what decides validity.
    """

    content: str
    generation: str
    validation: str
