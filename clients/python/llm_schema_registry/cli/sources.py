"""What an import registers, and in which order: steps made from a folder or from a file of revisions.

A folder gives one step a file, after the files that it refers to: by an `import` (Protobuf), a `$ref` (JSON Schema)
or a full name (Avro). A JSONL file gives two steps a line, the old revision before the new one.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import typer

from ..enums import SchemaType
from ..results import SchemaReference
from .inputs import TYPE_OF_SUFFIX

_IMPORT = re.compile(r'^\s*import\s+(?:public\s+|weak\s+)?"([^"]+)"\s*;', re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PRIMITIVES = frozenset(
    [
        "null",
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "bytes",
        "string",
        "record",
        "enum",
        "array",
        "map",
        "fixed",
        "union",
    ]
)


@dataclass(frozen=True, slots=True)
class Step:
    """One schema to register: `origin` is where it came from, `after` the steps that must be done before it."""

    origin: str
    subject: str
    content: bytes
    schema_type: SchemaType
    references: tuple[SchemaReference, ...] = ()
    after: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Naming:
    """How a path becomes a subject: `a/b.schema.json` is `prefix` + `a` + `separator` + `b`."""

    prefix: str = ""
    separator: str = "."

    def subject(self, path: PurePosixPath) -> str:
        stem = path.name.removesuffix(path.suffix).removesuffix(".schema")
        return self.prefix + self.separator.join((*path.parent.parts, stem))


def folder(root: Path, naming: Naming, kind: SchemaType | None) -> list[Step]:
    """A step for each schema file under a folder."""
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in TYPE_OF_SUFFIX and p.is_file())
    paths = [PurePosixPath(p.relative_to(root).as_posix()) for p in files]
    steps = [
        Step(
            origin=str(path),
            subject=naming.subject(path),
            content=file.read_bytes(),
            schema_type=kind or TYPE_OF_SUFFIX[path.suffix.lower()],
        )
        for file, path in zip(files, paths, strict=True)
    ]
    names = _names(steps, paths)
    return [
        _referring(number, step, path, steps, names)
        for number, (step, path) in enumerate(zip(steps, paths, strict=True))
    ]


def revisions(file: Path, naming: Naming, kind: SchemaType | None) -> list[Step]:
    """Two steps for each line {"path", "old", "new"}; the steps of one subject follow each other."""
    steps: list[Step] = []
    last: dict[str, int] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        path, contents = _revision(file, number, line)
        subject = naming.subject(path)
        schema_type = kind or TYPE_OF_SUFFIX.get(path.suffix.lower(), SchemaType.JSON)
        for word, content in contents:
            after = (last[subject],) if subject in last else ()
            last[subject] = len(steps)
            steps.append(Step(f"{path} ({word})", subject, content, schema_type, after=after))
    return steps


def _revision(file: Path, number: int, line: bytes) -> tuple[PurePosixPath, list[tuple[str, bytes]]]:
    try:
        row: Any = json.loads(line)
        contents = [(word, row[word]) for word in ("old", "new")]
        path = PurePosixPath(row["path"])
    except (ValueError, KeyError, TypeError) as error:
        raise typer.BadParameter(
            f'{file}:{number}: a line must be {{"path": ..., "old": ..., "new": ...}} ({error!r})',
            param_hint="PATH",
        ) from error
    return path, [
        (word, c.encode() if isinstance(c, str) else json.dumps(c, ensure_ascii=False).encode())
        for word, c in contents
    ]


def _names(steps: list[Step], paths: list[PurePosixPath]) -> Mapping[tuple[SchemaType, str], int]:
    """What other files may call a file: its path, its `$id`, the Avro names that it defines."""
    names: dict[tuple[SchemaType, str], int] = {}
    for number, (step, path) in enumerate(zip(steps, paths, strict=True)):
        names[step.schema_type, str(path)] = number
        document = _json(step)
        if (
            step.schema_type is SchemaType.JSON
            and isinstance(document, dict)
            and isinstance(document.get("$id"), str)
        ):
            names[step.schema_type, document["$id"].rstrip("#")] = number
        if step.schema_type is SchemaType.AVRO:
            defined, _ = _avro_names(document)
            names |= {(step.schema_type, name): number for name in defined}
    return names


def _referring(
    number: int,
    step: Step,
    path: PurePosixPath,
    steps: list[Step],
    names: Mapping[tuple[SchemaType, str], int],
) -> Step:
    """The step with references to the other files of the folder that it uses."""
    found: dict[str, int] = {}
    for written, resolved in _uses(step, path):
        aim = names.get((step.schema_type, resolved))
        if aim is not None and aim != number:
            found[written] = aim
    return replace(
        step,
        references=tuple(SchemaReference(name, steps[aim].subject) for name, aim in sorted(found.items())),
        after=tuple(sorted(set(found.values()))),
    )


def _uses(step: Step, path: PurePosixPath) -> Iterator[tuple[str, str]]:
    """What a schema refers to, as it is written and as other files are known."""
    if step.schema_type is SchemaType.PROTOBUF:
        text = _COMMENT.sub(" ", step.content.decode("utf-8", errors="replace"))
        yield from ((name, name) for name in _IMPORT.findall(text))
    elif step.schema_type is SchemaType.AVRO:
        defined, used = _avro_names(_json(step))
        yield from ((name, name) for name in used - defined)
    else:
        for ref in _refs(_json(step)):
            base = ref.partition("#")[0]
            if base:
                yield base, base
                yield base, posixpath.normpath(posixpath.join(str(path.parent), base))


def _json(step: Step) -> Any:
    """The schema as JSON; None when it is none, which the server will say better."""
    try:
        return json.loads(step.content)
    except (ValueError, RecursionError):
        return None


def _refs(document: Any) -> Iterator[str]:
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _avro_names(document: Any) -> tuple[set[str], set[str]]:
    """The full names that an Avro schema defines and those that it uses (Avro 1.12, "Names")."""
    defined: set[str] = set()
    used: set[str] = set()
    stack: list[tuple[Any, str]] = [(document, "")]
    while stack:
        node, namespace = stack.pop()
        if isinstance(node, str):
            if node not in _PRIMITIVES:
                used.add(node if "." in node or not namespace else f"{namespace}.{node}")
        elif isinstance(node, list):
            stack.extend((branch, namespace) for branch in node)
        elif isinstance(node, dict):
            if isinstance(node.get("name"), str) and node.get("type") in ("record", "enum", "fixed", "error"):
                name = (
                    node["name"]
                    if "." in node["name"]
                    else f"{node.get('namespace', namespace)}.{node['name']}"
                )
                defined.add(name.lstrip("."))
                namespace = name.rpartition(".")[0]
            stack.extend((f.get("type"), namespace) for f in node.get("fields", ()) if isinstance(f, dict))
            stack.extend((node[key], namespace) for key in ("type", "items", "values") if key in node)
    return defined, used
