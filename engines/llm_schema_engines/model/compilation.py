"""The input and output of a Protobuf compiler. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

LANGUAGE_FEATURES = tuple(f"google/protobuf/{name}_features.proto" for name in ("cpp", "java", "go"))
"""Files that the compiler includes as text; they import descriptor.proto."""


@dataclass(frozen=True, slots=True)
class CompileJob:
    """One file to compile.

    `root` is the import path of the file. `sources` hold .proto text by import path; a root that is not among them
    is a descriptor to be checked. `descriptors` is a serialized FileDescriptorSet of what may be imported.
    """

    root: str
    sources: Mapping[str, bytes] = field(default_factory=dict)
    descriptors: bytes = b""


@dataclass(frozen=True, slots=True)
class CompilerMessage:
    """One line of the compiler: `file` is an import path; line and column are 1-based, 0 when unknown."""

    text: str
    file: str = ""
    line: int = 0
    column: int = 0
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """`descriptors`: the FileDescriptorSet of the root (last, with source info) and all it imports; empty on errors."""

    descriptors: bytes
    messages: tuple[CompilerMessage, ...] = ()


class Compiler(Protocol):
    """Compiles .proto text. May kill its process on hostile input: run it in a process of its own."""

    def compile(self, job: CompileJob) -> Compiled: ...
