"""Gathers what a schema may import: the files of its references, then the library. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from ...errors import InvalidSchema, SchemaIssue
from ..engine import ReferencedSchema, walk_references
from . import library
from .artifact import Files
from .lexer import refuse
from .limits import ProtobufLimits
from .names import join

# The paths become arguments of protoc's command line, where `=`, `:`, a leading `-` or `@` have a meaning of their own.
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,248}\.proto")


def check_path(name: str) -> None:
    """Raises InvalidSchema when a reference cannot be an import path."""
    if not _PATH.fullmatch(name) or any(part in ("", ".", "..") for part in name.split("/")):
        raise refuse(
            "REFERENCE_NAME",
            f"reference name {name!r} is not an import path such as 'shop/order.proto' "
            "(letters, digits, '_', '-', '.', '/'; at most 255)",
        )
    if name.startswith(library.RESERVED):
        raise refuse(
            "REFERENCE_NAME", f"reference name {name!r} is a well-known type; import it without a reference"
        )


def check_references(content: bytes, references: Sequence[ReferencedSchema], limits: ProtobufLimits) -> None:
    """Raises InvalidSchema when the references are too many, too big, or badly named."""
    everything = walk_references(references)
    if len(everything) > limits.references:
        raise refuse(
            "TOO_MANY_REFERENCES",
            f"the schema has {len(everything)} references, direct and transitive; the limit is "
            f"{limits.references} (the setting limits.references)",
        )
    total = len(content) + sum(len(reference.content) for reference in everything)
    if total > limits.total:
        raise refuse(
            "TOTAL_TOO_LARGE",
            f"the schema with its references is {total} bytes long; the limit is {limits.total} "
            "(the setting protobuf.total_bytes)",
        )
    for reference in everything:
        check_path(reference.name)


class Imports:
    """Compiled files by import path, each after what it imports."""

    def __init__(self) -> None:
        self._files: dict[str, FileDescriptorProto] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def add(self, file: FileDescriptorProto) -> None:
        """Adds one file; raises InvalidSchema when another file already has its import path.

        References that were compiled with different releases of the library share the first one's.
        """
        known = self._files.setdefault(file.name, file)
        if known is file or library.holds(file.name):
            return
        if _meaning(known) != _meaning(file):
            raise InvalidSchema(
                [
                    SchemaIssue(
                        "IMPORT_CONFLICT",
                        f"two different schemas are imported as {file.name!r}; "
                        "make all references to it name the same version",
                    )
                ]
            )

    def add_references(
        self, references: Iterable[ReferencedSchema], artifact_of: Callable[[ReferencedSchema], bytes]
    ) -> None:
        """Adds the references with all that they import."""
        for reference in references:
            try:
                files = FileDescriptorSet.FromString(artifact_of(reference)).file
            except DecodeError as error:
                raise refuse(
                    "REFERENCE_DAMAGED", f"the compiled form of {reference.name!r} is damaged: {error}"
                ) from error
            files[-1].name = reference.name
            for file in files:
                self.add(file)

    def add_library(self, imports: Iterable[str]) -> None:
        """Adds what the library keeps compiled of `imports`, unless a reference has taken the path."""
        for path, data in library.descriptors([p for p in imports if p not in self]):
            if path not in self:
                self.add(FileDescriptorProto.FromString(data))

    @property
    def files(self) -> Files:
        return tuple(self._files.values())

    def clashes(self) -> list[SchemaIssue]:
        """The names that two of the files define, of which the compiler does not say who defines them."""
        owners: dict[str, str] = {}
        issues: dict[tuple[str, str], SchemaIssue] = {}
        for file in self._files.values():
            for name in _defined(file):
                first = owners.setdefault(name, file.name)
                if first != file.name and (first, file.name) not in issues:
                    issues[first, file.name] = SchemaIssue(
                        "NAME_DUPLICATE",
                        f"the imports {first!r} and {file.name!r} both define {name!r}; import one of them only, or give "
                        "one another package",
                    )
        return list(issues.values())

    def serialized(self) -> bytes:
        return FileDescriptorSet(file=self.files).SerializeToString()


def _defined(file: FileDescriptorProto) -> Iterator[str]:
    """The full names of what a file declares outside of its messages; the values of an enum stand beside it."""
    names = (
        [m.name for m in file.message_type]
        + [s.name for s in file.service]
        + [f.name for f in file.extension]
    )
    yield from (join(file.package, name) for name in names)
    for enum in file.enum_type:
        yield join(file.package, enum.name)
        yield from (join(file.package, value.name) for value in enum.value)


def _meaning(file: FileDescriptorProto) -> bytes:
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    copy.ClearField("source_code_info")
    return copy.SerializeToString(deterministic=True)
