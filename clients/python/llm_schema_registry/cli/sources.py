"""The schemas of a folder or of a file of revisions, as steps in an order in which they can be registered.

A folder gives one step a file, after the files that it refers to: by an `import` (Protobuf), a `$ref` (JSON Schema)
or a full name (Avro). Files that a manifest names have the references that it says. A JSONL file gives two steps a line, the old revision before the new one.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import typer

from ..enums import CompatibilityLevel, SchemaState, SchemaType
from ..results import SchemaReference
from . import manifest, pulled_settings
from .inputs import TYPE_OF_SUFFIX
from .manifest import Entry

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
    """One schema to register: `origin` is where it came from, `after` the steps that must be done before it. `version` is ""
    where the registry decides it."""

    origin: str
    subject: str
    content: bytes
    schema_type: SchemaType
    references: tuple[SchemaReference, ...] = ()
    after: tuple[int, ...] = ()
    version: str = ""
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    state: SchemaState = SchemaState.UNSPECIFIED
    """The state that the version had where it was pulled, unless the file was edited since."""
    level: CompatibilityLevel = CompatibilityLevel.UNSPECIFIED
    """The level at which it was registered there."""
    uses: Mapping[str, int] = field(default_factory=dict)
    """The steps of the same folder that this one uses, by the names in its content."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How a path becomes a subject: `a/b.schema.json` is `prefix` + `a` + `separator` + `b`."""

    prefix: str = ""
    separator: str = "."

    def subject(self, path: PurePosixPath) -> str:
        stem = path.name.removesuffix(path.suffix).removesuffix(".schema")
        return self.prefix + self.separator.join((*path.parent.parts, stem))

    def of_manifest(self, subject: str) -> str:
        """The subject of a file whose manifest names it; one with a context of its own keeps it."""
        return subject if subject.startswith(":") else self.prefix + subject


def read_folder(root: Path) -> dict[PurePosixPath, bytes]:
    """The schema files and the manifest under a folder, by their paths in it; not the settings beside a manifest."""
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in TYPE_OF_SUFFIX and p.is_file())
    if (root / manifest.NAME).is_file():
        files = [p for p in files if p != root / pulled_settings.NAME]
    listed = root / manifest.NAME
    found = {PurePosixPath(p.relative_to(root).as_posix()): p.read_bytes() for p in files}
    return found | ({PurePosixPath(manifest.NAME): listed.read_bytes()} if listed.is_file() else {})


_DOCUMENT = re.compile(r"(?:in)?valid(?:[-_. ]?\d+)?", re.IGNORECASE)


def is_document(path: PurePosixPath) -> bool:
    """Whether a file of a folder of schemas is data to try them with: as `valid/order.json` or `order/invalid-2.json`."""
    if path.suffix.lower() != ".json":
        return False
    return any(_DOCUMENT.fullmatch(part) for part in (*path.parent.parts, path.stem))


def folder(files: Mapping[PurePosixPath, bytes], naming: Naming, kind: SchemaType | None) -> list[Step]:
    """A step for each schema file of a folder."""
    listed = files.get(PurePosixPath(manifest.NAME), b"")
    paths = [path for path in files if path.suffix.lower() in TYPE_OF_SUFFIX]
    steps = [
        Step(
            origin=str(path),
            subject=naming.subject(path),
            content=files[path],
            schema_type=kind or TYPE_OF_SUFFIX[path.suffix.lower()],
        )
        for path in paths
    ]
    known = [e for e in manifest.read(listed, manifest.NAME) if e.path in files]
    listed_steps = _listed(steps, paths, known, naming)
    names = _names(steps, paths)
    return [
        listed_steps.get(path) or _referring(number, step, path, steps, names)
        for number, (step, path) in enumerate(zip(steps, paths, strict=True))
    ]


def _listed(
    steps: list[Step], paths: list[PurePosixPath], entries: Sequence[Entry], naming: Naming
) -> dict[PurePosixPath, Step]:
    """The steps of the files that a manifest names; their subjects are put right in `steps` as well."""
    number_of = {path: number for number, path in enumerate(paths)}
    numbers = {(entry.subject, entry.version): number_of[entry.path] for entry in entries}
    last: dict[str, int] = {}
    found = {}
    for entry in entries:
        number = number_of[entry.path]
        step = steps[number]
        unchanged = entry.describes(step.content)
        uses = {
            r.name: numbers[r.subject, r.version]
            for r in entry.references
            if (r.subject, r.version) in numbers
        }
        after = {*uses.values(), *([last[entry.subject]] if entry.subject in last else [])}
        last[entry.subject] = number
        steps[number] = found[entry.path] = replace(
            step,
            subject=naming.of_manifest(entry.subject),
            schema_type=entry.schema_type,
            references=tuple(
                SchemaReference(
                    r.name,
                    naming.of_manifest(r.subject) if r.name in uses else r.subject,
                    # The version of a file that was edited is not known before it is registered.
                    "latest" if r.name in uses and not steps[uses[r.name]].version else r.version,
                )
                for r in entry.references
            ),
            after=tuple(sorted(after)),
            version=entry.version if unchanged and entry.state is not SchemaState.DRAFT else "",
            state=entry.state if unchanged else SchemaState.UNSPECIFIED,
            level=entry.level if unchanged else CompatibilityLevel.UNSPECIFIED,
            description=entry.description,
            tags=entry.tags,
            metadata=entry.metadata,
            uses=uses,
        )
    return found


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
        uses=found,
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
