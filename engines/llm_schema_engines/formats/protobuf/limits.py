"""The limits of schemas and payloads of the Protobuf engine. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProtobufLimits:
    """Bounds that keep hostile input cheap. Sizes are bytes; counts are per schema file.

    source: one file. total: a file with the referenced schemas. references: direct and transitive.
    brackets: nesting of `{ [ <` and of the parts of option names; protoc aborts its process near 100. identifier: characters of one name.
    statements: `;` and `,` together; protoc is quadratic in some of them. names: the sum of the lengths of all
    qualified names, which grows with the square of nesting times length. issues: most faults reported.
    payload: bytes of data; payload_depth: its nesting. pools: bytes of compiled schemas in the cache for validation,
    comparison and witnesses.
    """

    source: int = 1024 * 1024
    total: int = 4 * 1024 * 1024
    references: int = 256
    brackets: int = 64
    identifier: int = 255
    statements: int = 20_000
    names: int = 8 * 1024 * 1024
    issues: int = 100
    payload: int = 4 * 1024 * 1024
    payload_depth: int = 100
    pools: int = 64 * 1024 * 1024


DEFAULT = ProtobufLimits()
