"""Engines that do what the content tells them: answer, fail, hang, eat memory, die. Made inside the subprocesses."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

from llm_schema_engines.formats.engine import (
    UNBOUNDED,
    BoundedValidator,
    DataValidator,
    Engines,
    FormatEngine,
    ParsedSchema,
    SchemaSource,
)
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Direction,
    Verdict,
    Violation,
    Witness,
)
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.validation import DataIssue, DataReport, Encoding
from llm_schema_registry_server.errors import InvalidSchema, ReferenceNotFound, SchemaIssue, SchemaTooLarge

ISSUES = (SchemaIssue("RULE_A", "first", "/a", 1, 2), SchemaIssue("RULE_B", "second"))


class ObedientEngine:
    """`content` is a command and its argument, separated by a space."""

    version = "1"

    def __init__(self, schema_type: SchemaType) -> None:
        self.schema_type = schema_type

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        obey(source.content)
        digest = hashlib.sha256(source.content).hexdigest()
        return ParsedSchema(
            self.schema_type,
            source.content,
            Fingerprints(digest, digest, digest),
            artifact=b"\x00\xff",
            names=("a", "b"),
            dependencies=tuple(r.name for r in source.references),
            warnings=ISSUES,
            options={**source.options, "strict": str(strict), "pid": str(os.getpid())},
        )

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        obey(reader.content)
        return Comparison(
            Verdict.NO,
            (
                Violation("RULE", "/x", options.key, witness=Witness(b"\xff", "text")),
                Violation("DIRECTED", "/y", "m", direction=Direction.FORWARD, undecided=True),
            ),
        )

    def quick_proof(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        return Comparison(Verdict.YES) if reader.content.startswith(b"plain") else None

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        obey(old.content)
        return Differences()

    def compile_validator(self, source: SchemaSource) -> DataValidator:
        return ObedientValidator(source.content)

    def compile_bounded(self, source: SchemaSource, seconds: float) -> BoundedValidator:
        return UNBOUNDED


COMPILED = 0
"""How many validators this process has compiled."""


class ObedientValidator:
    """Does what the payload says; the report tells how many validators its process has compiled."""

    def __init__(self, content: bytes) -> None:
        global COMPILED
        COMPILED += 1
        self.size = 1 << 25 if content == b"large" else 1000

    def validate(
        self,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        obey(payload)
        got = f"{os.getpid()} {COMPILED} {encoding.name} {strict} {max_errors} {message_name}"
        return DataReport(False, (DataIssue("/a", "told", "told", got=got),), truncated=True)


def obey(content: bytes) -> None:
    command, _, argument = content.decode().partition(" ")
    match command:
        case "hang":
            time.sleep(3600)
        case "spin":
            while True:
                pass
        case "wait":  # until the file exists
            while not Path(argument).exists():
                time.sleep(0.005)
        case "work":  # until the file exists
            while not Path(argument).exists():
                pass
        case "mark":  # say in a file that one more has begun, then wait for the other file
            own, gate = argument.split("|")
            with Path(own).open("a") as file:
                file.write("x")
            while not Path(gate).exists():
                time.sleep(0.005)
        case "hold":  # so many MiB, until there is a file
            held = b"x" * (int(argument.split()[0]) << 20)
            while not Path(argument.split()[1]).exists():
                time.sleep(0.005)
            del held
        case "eat":
            bytearray(1 << 40)
        case "abort":
            print("last words", file=sys.stderr, flush=True)
            os.abort()
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(int(argument.split()[0]))
        case "bug":
            raise KeyError("a bug of the engine")
        case "recurse":
            recurse(0)
        case "suicide":  # the first time; what an operator does, or the system when memory runs out
            if not Path(argument).exists():
                Path(argument).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case "nonsense":
            os.write(channel(), b"\x00\x00\x00\x03abc")
            time.sleep(3600)
        case "flood":
            os.write(channel(), b"\xff\xff\xff\xff" + b"x" * 1000)
            time.sleep(3600)
        case "noise":
            print("x" * 100_000)
            print("x" * 100_000, file=sys.stderr)
        case "invalid":
            raise InvalidSchema(ISSUES, "new_schema")
        case "missing":
            raise ReferenceNotFound("references[0].name", "not there", name="x")
        case "large":
            raise SchemaTooLarge("schema_content", 11, 10)


def recurse(n: int) -> int:
    return recurse(n + 1) + 1


def channel() -> int:
    """The descriptor of this process's socket."""
    for name in os.listdir("/proc/self/fd"):
        if os.path.lexists(f"/proc/self/fd/{name}") and "socket" in os.readlink(f"/proc/self/fd/{name}"):
            return int(name)
    raise LookupError("no socket")


def make(*types: SchemaType) -> Engines:
    engines: dict[SchemaType, FormatEngine] = {t: ObedientEngine(t) for t in types}
    return engines


def broken() -> Engines:
    raise RuntimeError("these engines cannot be made")
