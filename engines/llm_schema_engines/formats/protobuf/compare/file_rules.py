"""Buf's rules about files and services. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.descriptor_pb2 import FileOptions, MethodOptions

from ..ir import Method, option_text
from .rule import ALL, SOURCE, BreakingChange, ComparisonRule
from .sides import Sides

FILE_OPTIONS = (
    "cc_enable_arenas",
    "cc_generic_services",
    "csharp_namespace",
    "go_package",
    "java_generic_services",
    "java_multiple_files",
    "java_outer_classname",
    "java_package",
    "objc_class_prefix",
    "optimize_for",
    "php_class_prefix",
    "php_metadata_namespace",
    "php_namespace",
    "py_generic_services",
    "ruby_package",
    "swift_prefix",
)
"""Options that name or shape generated code: one rule each, FILE_SAME_ and the option in capitals."""


def _option_differs(option: str) -> Callable[[Sides], Iterator[BreakingChange]]:
    field = FileOptions.DESCRIPTOR.fields_by_name[option]
    default = option_text(field, field.default_value)

    def check(sides: Sides) -> Iterator[BreakingChange]:
        old = sides.writer.options.get(option, default)
        new = sides.reader.options.get(option, default)
        if old != new:
            yield BreakingChange(option, old, new)

    return check


def other_syntax(sides: Sides) -> Iterator[BreakingChange]:
    if sides.writer.syntax != sides.reader.syntax:
        yield BreakingChange("syntax", sides.writer.syntax, sides.reader.syntax)


def lost_methods(sides: Sides) -> Iterator[BreakingChange]:
    for path, _, mine in sides.methods:
        if mine is None:
            yield BreakingChange(path, path, "absent")


def _method_differs(value: Callable[[Method], object]) -> Callable[[Sides], Iterator[BreakingChange]]:
    def check(sides: Sides) -> Iterator[BreakingChange]:
        for path, theirs, mine in sides.methods:
            if mine is not None and value(theirs) != value(mine):
                yield BreakingChange(path, str(value(theirs)), str(value(mine)))

    return check


def _type_differs(value: Callable[[Method], str]) -> Callable[[Sides], Iterator[BreakingChange]]:
    def check(sides: Sides) -> Iterator[BreakingChange]:
        for path, theirs, mine in sides.methods:
            if mine is not None and not sides.same_type(value(mine), value(theirs)):
                yield BreakingChange(path, value(theirs), value(mine))

    return check


_SAYS = "{old} for the writer and {new} for the reader"

RULES = (
    *(
        ComparisonRule(
            f"FILE_SAME_{option.upper()}",
            f"option {option} is {{old!r}} for the writer and {{new!r}} for the reader",
            _option_differs(option),
            SOURCE,
        )
        for option in FILE_OPTIONS
    ),
    ComparisonRule("FILE_SAME_SYNTAX", "the syntax is " + _SAYS, other_syntax, SOURCE),
    ComparisonRule("RPC_NO_DELETE", "the reader lacks the writer's rpc {path}", lost_methods, SOURCE),
    ComparisonRule(
        "RPC_SAME_REQUEST_TYPE", "the request of {path} is " + _SAYS, _type_differs(lambda m: m.request), ALL
    ),
    ComparisonRule(
        "RPC_SAME_RESPONSE_TYPE",
        "the response of {path} is " + _SAYS,
        _type_differs(lambda m: m.response),
        ALL,
    ),
    ComparisonRule(
        "RPC_SAME_CLIENT_STREAMING",
        "client streaming of {path} is " + _SAYS,
        _method_differs(lambda m: m.client_streaming),
        ALL,
    ),
    ComparisonRule(
        "RPC_SAME_SERVER_STREAMING",
        "server streaming of {path} is " + _SAYS,
        _method_differs(lambda m: m.server_streaming),
        ALL,
    ),
    ComparisonRule(
        "RPC_SAME_IDEMPOTENCY_LEVEL",
        "the idempotency level of {path} is " + _SAYS,
        _method_differs(lambda m: MethodOptions.IdempotencyLevel.Name(m.idempotency)),  # type: ignore[arg-type]
        ALL,
    ),
)
