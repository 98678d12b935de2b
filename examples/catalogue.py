"""What the demonstration registers: the schemas of this folder, and real ones from beside the repository if present."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm_schema_registry import ChangeClass, SchemaReference, SchemaType

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"
"""Consecutive revisions of real schemas, one {path, old, new} a line; not part of the project."""

PAIRS = (("schemastore-pairs.jsonl", SchemaType.JSON), ("googleapis-pairs.jsonl", SchemaType.PROTOBUF))
SUFFIX = {SchemaType.JSON: "json", SchemaType.AVRO: "avsc", SchemaType.PROTOBUF: "proto"}


@dataclass(frozen=True)
class Document:
    """Data to validate against the first revision, and whether it is valid."""

    name: str
    content: bytes
    valid: bool


@dataclass(frozen=True)
class Case:
    """Two consecutive revisions of one schema. `expected` is None where nobody has said what must come out."""

    subject: str
    schema_type: SchemaType
    first: bytes
    second: bytes
    references: tuple[SchemaReference, ...] = ()
    documents: tuple[Document, ...] = ()
    change: str = ""
    expected: ChangeClass | None = None

    @property
    def ours(self) -> bool:
        return self.expected is not None


def own() -> list[Case]:
    """The cases of catalogue.toml, in its order: what is referred to comes first."""
    return [_case(row) for row in tomllib.loads((HERE / "catalogue.toml").read_text())["example"]]


def real() -> list[Case]:
    """The pairs of the files of PAIRS that are there."""
    return [case for name, kind in PAIRS for case in _pairs(DATA / name, kind)]


def _case(row: dict[str, object]) -> Case:
    folder, kind = HERE / str(row["folder"]), SchemaType[str(row["type"])]
    references = row.get("references", [])
    assert isinstance(references, list)
    return Case(
        subject=str(row["subject"]),
        schema_type=kind,
        first=(folder / f"v1.{SUFFIX[kind]}").read_bytes(),
        second=(folder / f"v2.{SUFFIX[kind]}").read_bytes(),
        references=tuple(SchemaReference(**reference) for reference in references),
        documents=tuple(
            Document(file.stem, file.read_bytes(), file.stem.startswith("valid"))
            for file in sorted(folder.glob("*valid-*.json"))
        ),
        change=str(row["change"]),
        expected=ChangeClass[str(row["class"])],
    )


def _pairs(file: Path, kind: SchemaType) -> Iterator[Case]:
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            pair = json.loads(line)
            subject = f"{file.name.removesuffix('-pairs.jsonl')}/{pair['path']}"
            yield Case(subject[:255], kind, pair["old"].encode(), pair["new"].encode())
