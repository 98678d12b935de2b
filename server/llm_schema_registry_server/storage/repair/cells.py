"""Cells of rows that cannot be decoded, and what is put in their place. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_engines.model.identity import identity
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.version import SemanticVersion, is_semantic_version

from ...errors import StorageDamaged
from ...model.change import EventType, kind_of
from ...model.lifecycle import SchemaState
from ...model.timestamps import moment
from .. import rows

Cells = dict[str, Any]
"""By column."""
Mended = Mapping[str, tuple[Any, str]]
"""By column: the new cell, and what is said about it."""


def readable(decode: Callable[[Any], object], row: Sequence[Any]) -> bool:
    """Whether a row can be decoded."""
    try:
        decode(row)
    except StorageDamaged:
        return False
    return True


def is_time(value: Any) -> bool:
    try:
        moment(value)
    except (OverflowError, TypeError, ValueError):
        return False
    return True


def shown(cell: Any) -> Any:
    """Text for the bytes of a text that is no UTF-8; other cells as they are. What is no character is written as `\\xff`, so that
    different cells stay different."""
    return cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell


def json_object(cell: Any) -> dict[str, Any]:
    """The object in a cell of JSON; an empty one when there is none. Bytes that are no UTF-8 become U+FFFD."""
    try:
        found = orjson.loads(cell.decode(errors="replace") if isinstance(cell, bytes) else cell)
    except (orjson.JSONDecodeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {k: v for k, v in pairs if isinstance(v, str)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any, kind: Callable[[int], object]) -> bool:
    try:
        kind(value)
    except ValueError:
        return False
    return True


def mended_version(cells: Cells, *, last_state: int | None, content: bytes | None) -> Mended:
    """What a row of versions needs to be readable.

    last_state: the state that its history ends with, if that is known. content: its bytes, to find its type by its identity.
    """
    mended: dict[str, tuple[Any, str]] = {}
    if not isinstance(cells["version"], str) or not is_semantic_version(cells["version"]):
        number = f"0.0.0-repaired.{cells['ordinal']}"
        mended["version"] = number, f"version {cells['version']!r} is no version number: it becomes {number}"
        mended["release"] = number, ""
    elif isinstance(cells["release"], bytes):
        mended["release"] = (
            rows.release_of(SemanticVersion.parse(cells["version"])),
            "the number to find it by is no UTF-8: it is made anew",
        )
    about = _about(cells["about"])
    if about is not None:
        mended["about"] = (
            about,
            "description, tags and metadata are not readable: what is readable of them stays",
        )
    if not _origin_is_readable(cells["origin"]):
        origin = json_object(cells["origin"])
        references = origin.get("references")
        whole = isinstance(references, list) and all(map(_is_reference, references))
        kept: dict[str, Any] = {
            "created_by": _text(origin.get("created_by")),
            "options": _texts(origin.get("options")),
            "references": references if whole else [],
        }
        lost = "options are not readable: what is readable of them stays"
        mended["origin"] = (
            rows.dump(kept),
            lost if whole else "options and references are not readable: they are emptied",
        )
    if not _number(cells["state"], SchemaState):
        known = last_state is not None and _number(last_state, SchemaState)
        state = SchemaState(last_state) if known and last_state is not None else SchemaState.ARCHIVED
        mended["state"] = int(state), f"state {cells['state']} is unknown: it becomes {state.name}"
    if not _number(cells["schema_type"], SchemaType):
        found = _type_of(cells["identity"], content)
        mended["schema_type"] = (
            int(found),
            f"schema type {cells['schema_type']} is unknown: it becomes {found.name}",
        )
    if not _number(cells["level"], CompatibilityLevel):
        level = CompatibilityLevel.BACKWARD
        mended["level"] = int(level), f"level {cells['level']} is unknown: it becomes {level.name}"
    if not _number(cells["change_class"], ChangeClass):
        kind = ChangeClass.UNCLASSIFIED
        mended["change_class"] = (
            int(kind),
            f"class {cells['change_class']} is unknown: it becomes {kind.name}",
        )
    for column in ("created_at", "updated_at", "deleted_at"):
        if cells[column] is not None and not is_time(cells[column]):
            mended[column] = 0, f"{column} {cells[column]} is no time: it becomes 1970"
    return mended


def mended_digests(cells: Cells, content: bytes) -> Mended:
    """Digests that are no text. Those of meanings become that of the content, which none but an equal one has."""
    digest = hashlib.sha256(content).hexdigest()
    named = [
        c for c in ("content_digest", "generation_digest", "validation_digest") if isinstance(cells[c], bytes)
    ]
    return {column: (digest, f"{column} is no UTF-8: it becomes that of the content") for column in named}


def _about(cell: Any) -> str | None:
    """None when the cell is readable."""
    found = json_object(cell)
    description, tags, metadata = found.get("description"), found.get("tags"), found.get("metadata")
    kept = {
        "description": description if isinstance(description, str) else None,
        "tags": [t for t in tags if isinstance(t, str)] if isinstance(tags, list) else [],
        "metadata": _texts(metadata),
    }
    whole = isinstance(cell, str) and {k: found.get(k, kept) for k in kept} == kept
    return None if whole else rows.dump(kept)


def _origin_is_readable(cell: Any) -> bool:
    found = json_object(cell)
    references = found.get("references")
    return (
        isinstance(cell, str)
        and isinstance(found.get("created_by"), str)
        and found.get("options") == _texts(found.get("options"))
        and isinstance(references, list)
        and all(map(_is_reference, references))
    )


def _is_reference(value: Any) -> bool:
    match value:
        case [str(), str(), int(), str(version), str()]:
            return is_semantic_version(version)
    return False


def _type_of(named: str, content: bytes | None) -> SchemaType:
    """The type that gives the content its identity; JSON when none does, as when it has references."""
    for kind in SchemaType:
        if content is not None and identity(kind, content, []) == named:
            return kind
    return SchemaType.JSON


def mended_change(cells: Cells) -> Mended:
    """What a row of changes needs to be readable."""
    mended: dict[str, tuple[Any, str]] = {}
    if not _number(cells["event_type"], kind_of):
        mended["event_type"] = (
            int(EventType.SCHEMA_UPDATED),
            f"event {cells['event_type']} is unknown: it becomes SCHEMA_UPDATED",
        )
    if not is_time(cells["at"]):
        mended["at"] = 0, f"at {cells['at']} is no time: it becomes 1970"
    facts = json_object(cells["facts"])
    kept = {
        "actor": _text(facts.get("actor")),
        "correlation_id": _text(facts.get("correlation_id")),
        "metadata": _texts(facts.get("metadata")),
    }
    for column in ("subject", "schema_id", "version"):
        if isinstance(cells[column], bytes):
            mended[column] = (
                shown(cells[column]),
                f"{column} {cells[column]!r} is no UTF-8: it is written out",
            )
    if facts != kept or isinstance(cells["facts"], bytes):
        mended["facts"] = (
            rows.dump(kept),
            "actor and metadata are not readable: what is readable of them stays",
        )
    return mended


def mended_settings(scope: str, cell: str) -> str | None:
    """The settings of a scope that can be read, as a cell; None when there are none."""
    kept: dict[str, Any] = {}
    for name, value in json_object(cell).items():
        try:
            rows.config_of(scope, rows.dump({name: value}))
        except StorageDamaged:
            continue
        kept[name] = value
    return rows.config_cell(rows.config_of(scope, rows.dump(kept))) if kept else None
