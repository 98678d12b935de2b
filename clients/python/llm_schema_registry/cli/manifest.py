"""The file beside pulled schemas that says what they are: subject, version and references of each.

`manifest.jsonl` has a line for each version, in an order in which they can be registered:
{"path", "subject", "version", "type", "references": [{"name", "subject", "version"}], "description", "tags", "metadata",
"sha256", "state", "level"}; the last two are the state and the level at which it was registered. A file whose SHA-256 is another one was edited since: it is imported as the next version of its subject.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import typer

from ..enums import CompatibilityLevel, SchemaState, SchemaType
from ..results import SchemaInfo, SchemaReference

NAME = "manifest.jsonl"
SUFFIX_OF_TYPE = {SchemaType.JSON: ".json", SchemaType.AVRO: ".avsc", SchemaType.PROTOBUF: ".proto"}
_LONGEST_PART = 150


@dataclass(frozen=True, slots=True)
class Entry:
    """One version in a folder."""

    path: PurePosixPath
    subject: str
    version: str
    schema_type: SchemaType
    references: tuple[SchemaReference, ...]
    description: str | None
    tags: tuple[str, ...]
    metadata: dict[str, str]
    sha256: str
    state: SchemaState = SchemaState.UNSPECIFIED
    level: CompatibilityLevel = CompatibilityLevel.UNSPECIFIED

    def describes(self, content: bytes) -> bool:
        """Whether the content is still the one that was pulled."""
        return digest(content) == self.sha256

    def line(self) -> str:
        """The line of the manifest."""
        return json.dumps(
            {
                "path": str(self.path),
                "subject": self.subject,
                "version": self.version,
                "type": self.schema_type.name,
                "references": [
                    {"name": r.name, "subject": r.subject, "version": r.version} for r in self.references
                ],
                "description": self.description,
                "tags": list(self.tags),
                "metadata": self.metadata,
                "sha256": self.sha256,
                "state": self.state.name,
                "level": self.level.name,
            },
            ensure_ascii=False,
        )


def digest(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def entry(version: SchemaInfo, *, plain_name: bool) -> Entry:
    """The entry of a version. plain_name: its file is named after the subject alone, not also after the version."""
    return Entry(
        path=path_of(version.subject, "" if plain_name else version.version, version.schema_type),
        subject=version.subject,
        version=version.version,
        schema_type=version.schema_type,
        references=version.references,
        description=version.description,
        tags=version.tags,
        metadata=dict(version.metadata),
        sha256=digest(version.content),
        state=version.state,
        level=version.compatibility_level,
    )


def path_of(subject: str, version: str, schema_type: SchemaType) -> PurePosixPath:
    """Where a version lies: `shop.Order` is shop/Order.proto, with a version shop/Order@1.2.0.proto."""
    parts = [_part(part) for part in subject.split(".")]
    if version:
        parts[-1] += "@" + quote(version, safe="+-.")
    return PurePosixPath(*parts[:-1], parts[-1] + SUFFIX_OF_TYPE.get(schema_type, ".txt"))


def _part(text: str) -> str:
    """A part of a subject as a name that every file system takes; different parts give different names."""
    name = re.sub(r"\.", "%2E", quote(text, safe="-_ ")) or "%2E"
    if len(name) > _LONGEST_PART:
        name = f"{name[:100]}~{digest(text.encode())[:32]}"
    return name


def read(content: bytes, where: str) -> list[Entry]:
    """The entries of a manifest. Raises typer.BadParameter for a line that is none."""
    return [
        _entry(line, f"{where}:{number}")
        for number, line in enumerate(content.splitlines(), 1)
        if line.strip()
    ]


def _entry(line: bytes, place: str) -> Entry:
    try:
        row: Any = json.loads(line)
        return Entry(
            path=PurePosixPath(_text(row, "path")),
            subject=_text(row, "subject"),
            version=_text(row, "version"),
            schema_type=SchemaType(_text(row, "type")),
            references=tuple(
                SchemaReference(_text(r, "name"), _text(r, "subject"), _text(r, "version"))
                for r in row.get("references", [])
            ),
            description=None if row.get("description") is None else _text(row, "description"),
            tags=_texts(row.get("tags", [])),
            metadata=dict(
                zip(row.get("metadata", {}), _texts(row.get("metadata", {}).values()), strict=True)
            ),
            sha256=_text(row, "sha256"),
            state=SchemaState(row.get("state", "UNSPECIFIED")),
            level=CompatibilityLevel(row.get("level", "UNSPECIFIED")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise typer.BadParameter(
            f"{place}: no line of a manifest as `pull` writes it ({error!r})", param_hint="PATH"
        ) from error


def _text(row: Any, key: str) -> str:
    return _texts([row[key]])[0]


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    found = tuple(values)
    for value in found:
        if not isinstance(value, str):
            raise TypeError(f"text is expected, not {value!r}")
    return found
