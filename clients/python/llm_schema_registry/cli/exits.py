"""How a command ends: the exit code for each failure, and what is said about it on the standard error."""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Iterator
from urllib.parse import unquote

from rich.text import Text

from ..errors import (
    Code,
    DeadlineExceeded,
    HandshakeFailed,
    IncompatibleSchema,
    InvalidSchema,
    LintRefused,
    PermissionDenied,
    ProtocolMismatch,
    RegistryError,
    Unauthenticated,
    Unavailable,
)
from ..results import SchemaIssue
from .text import bad, report_lines, settings_command
from .wording import spoken


class Exit(enum.IntEnum):
    """The exit codes of `schema-registry`."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4
    REFUSED = 5
    INTERNAL = 6
    DENIED = 7
    INTERRUPTED = 130
    READER_GONE = 141


MEANINGS = {
    Exit.OK: "done, or the answer is yes",
    Exit.NEGATIVE: "the answer is no: invalid data, invalid or incompatible schema",
    Exit.USAGE: "the command or a value in it is wrong",
    Exit.NOT_FOUND: "no such subject, version, schema or file",
    Exit.UNAVAILABLE: "the server cannot be reached or did not answer in time",
    Exit.REFUSED: "the registry is in no state that allows it",
    Exit.INTERNAL: "a fault of the server or of this program",
    Exit.DENIED: "not logged in, or not permitted",
    Exit.INTERRUPTED: "interrupted from the keyboard",
    Exit.READER_GONE: "whoever read the output went away",
}

MISSING_REFERENCE = frozenset({"json/reference", "AVRO_TYPE_UNKNOWN", "IMPORT_NOT_FOUND"})
"""Rules of JSON Schema, Avro and Protobuf that a schema breaks whose references were not given."""

BY_CODE = {
    Code.CANCELLED: Exit.UNAVAILABLE,
    Code.UNKNOWN: Exit.INTERNAL,
    Code.INVALID_ARGUMENT: Exit.USAGE,
    Code.DEADLINE_EXCEEDED: Exit.UNAVAILABLE,
    Code.NOT_FOUND: Exit.NOT_FOUND,
    Code.ALREADY_EXISTS: Exit.REFUSED,
    Code.PERMISSION_DENIED: Exit.DENIED,
    Code.RESOURCE_EXHAUSTED: Exit.REFUSED,
    Code.FAILED_PRECONDITION: Exit.REFUSED,
    Code.ABORTED: Exit.REFUSED,
    Code.OUT_OF_RANGE: Exit.REFUSED,
    Code.UNIMPLEMENTED: Exit.REFUSED,
    Code.INTERNAL: Exit.INTERNAL,
    Code.UNAVAILABLE: Exit.UNAVAILABLE,
    Code.DATA_LOSS: Exit.INTERNAL,
    Code.UNAUTHENTICATED: Exit.DENIED,
}
"""Every code has an exit code; a schema that is refused for what it is says "no" instead (see `exit_code`)."""


def exit_code(error: RegistryError) -> Exit:
    """The exit code for a failed call."""
    return (
        Exit.NEGATIVE
        if isinstance(error, InvalidSchema | LintRefused | IncompatibleSchema)
        else BY_CODE[error.code]
    )


def explain(error: RegistryError, server: str) -> Iterator[str | Text]:
    """Lines for people: what failed, each fact behind it, and the way out."""
    if isinstance(error, HandshakeFailed):
        yield bad(f"error: {error.message}")
        yield "hint: --ca FILE names the authorities to trust, --cert FILE and --key FILE the certificate to show"
        return
    if isinstance(error, ProtocolMismatch):
        yield bad(f"error: {error.message}")
        yield "hint: --server, SCHEMA_REGISTRY_SERVER or a profile names the address of gRPC"
        return
    if isinstance(error, Unavailable) and not error.reason:
        yield bad(f"error: cannot reach the registry at {server}: {_cause(error.message)}")
        yield "hint: `schema-registry-server serve` starts one (in a checkout of the project: `make run`)"
        yield "hint: --server, SCHEMA_REGISTRY_SERVER or --profile names another one; with TLS it is https://HOST:PORT"
        yield "hint: --timeout SECONDS waits for a server that is about to start"
        return
    # Where a report or issues follow, the message is not repeated: it tells the first of them.
    if isinstance(error, IncompatibleSchema) and error.report is not None:
        yield bad("error: the schema cannot be the next version of the subject")
        subject = error.metadata.get("subject", "")
        yield from report_lines(error.report, settings_command(subject) if subject else None)
    elif isinstance(error, InvalidSchema) and error.issues:
        file = error.metadata.get("file", "")
        yield bad(f"error: {file}: the schema is invalid" if file else "error: the schema is invalid")
        yield from (f"  {issue_line(issue)}" for issue in error.issues)
        if any(issue.rule in MISSING_REFERENCE for issue in error.issues):
            yield "hint: --reference NAME=SUBJECT says which subject a name in the schema refers to"
    elif isinstance(error, LintRefused) and error.issues:
        subject = error.metadata.get("subject", "")
        yield bad(f"error: `lint` of subject {subject!r} is {error.metadata.get('lint', '')}")
        for issue in error.issues:
            yield f"  {issue.severity.name.lower()}: {issue_line(issue)}"
            if issue.hint:
                yield f"    {issue.hint}"
        left = int(error.metadata.get("findings", "0")) - len(error.issues)
        if left > 0:
            yield f"  and {left} more; `schema-registry lint` shows them all"
        yield f"hint: `schema-registry config set {shlex.quote(subject)} --lint warn` lets it in"
    else:
        yield bad(f"error: {spoken(error.message)}")
    if len(error.violations) > 1 and not isinstance(error, InvalidSchema):  # the message tells a single one
        yield from (f"  {spoken(f'{v.field}: {v.description}')}" for v in error.violations)
    if error.reason == "SUBJECT_NOT_FOUND" and "softly deleted" not in error.message:
        yield "hint: `schema-registry list` shows the subjects, `schema-registry search WORD` finds them"
    if isinstance(error, DeadlineExceeded):
        yield f"hint: the server is {server}; --timeout gives it longer"
    if isinstance(error, Unauthenticated):
        yield "hint: put a token or an API key into SCHEMA_REGISTRY_TOKEN, or log in with `schema-registry login`"
    if isinstance(error, PermissionDenied):
        yield "hint: `schema-registry whoami` shows what your credentials permit"
    if error.request_id:
        yield f"request id: {error.request_id}"


def _cause(message: str) -> str:
    """What gRPC says of a failed connection, without its own preface."""
    last = unquote(message.rpartition("last error: ")[2])
    return re.sub(r"^(?:[A-Z_]+: )?(?:ipv[46]:)?", "", last)


def issue_line(issue: SchemaIssue) -> str:
    """An issue as `line 1, column 2: pointer: message [rule]`; what is not known is left out."""
    place = f"line {issue.line}, column {issue.column}: " if issue.line else ""
    pointer = f"{issue.pointer}: " if issue.pointer else ""
    rule = f" [{issue.rule}]" if issue.rule else ""
    return f"{place}{pointer}{issue.message}{rule}"
