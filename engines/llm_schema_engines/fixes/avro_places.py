"""Places in Avro schemas: where a path of a comparison leads, what stands for it in the other schema, parts that are moved. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .documents import MISSING, Token, Tokens, value_at

PRIMITIVE = frozenset(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
NAMED = frozenset(("record", "error", "enum", "fixed"))


def kind_of(node: Any) -> str:
    """`union`, or the name of the type; that of a named type stands for a reference to one."""
    if isinstance(node, list):
        return "union"
    return (
        str(node.get("type")) if isinstance(node, dict) and isinstance(node.get("type"), str) else str(node)
    )


def is_definition(node: Any) -> bool:
    """Whether a named type is defined here."""
    return isinstance(node, dict) and isinstance(node.get("type"), str) and node["type"] in NAMED


def full_name(node: dict[str, Any], enclosing: str) -> str:
    """The full name of a definition inside the namespace `enclosing`."""
    name = str(node.get("name", ""))
    if "." in name:
        return name
    space = node.get("namespace", enclosing)
    return f"{space}.{name}" if space else name


class AvroDocument:
    """One Avro schema as a JSON document, with the places of its named types."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.definitions: dict[str, Tokens] = {}
        self.spaces: dict[Tokens, str] = {}
        for path, node, space in _types(root, (), ""):
            self.spaces[path] = space
            if is_definition(node):
                self.definitions.setdefault(full_name(node, space), path)

    def located(self, path: Tokens) -> Tokens | None:
        """The place of a type or member that a path of a comparison leads to, through references by name; None for none."""
        at: Tokens = ()
        for token in path:
            at = self.target(at)
            node = value_at(self.root, at)
            if isinstance(node, list | dict):
                at = (*at, int(token) if isinstance(node, list) and str(token).isdigit() else token)
            if value_at(self.root, at) is MISSING:
                return None
        return at

    def target(self, path: Tokens) -> Tokens:
        """Where the type at `path` is defined, if a name stands there."""
        node = value_at(self.root, path)
        while isinstance(node, dict) and isinstance(node.get("type"), dict | list) and "name" not in node:
            path = (*path, "type")
            node = node["type"]
        if isinstance(node, str) and node not in PRIMITIVE:
            return self.definitions.get(self.qualified(node, path), path)
        return path

    def qualified(self, name: str, path: Tokens) -> str:
        """The full name that a reference at `path` means."""
        space = self.spaces.get(path, "")
        known = f"{space}.{name}" if space and "." not in name else name
        return known if known in self.definitions or name not in self.definitions else name

    def at(self, path: Tokens) -> Any:
        return value_at(self.root, path)


def _types(node: Any, path: Tokens, space: str) -> Iterator[tuple[Tokens, Any, str]]:
    """Every type with its place and the namespace around it."""
    pending: list[tuple[Tokens, Any, str]] = [(path, node, space)]
    while pending:
        place, value, around = pending.pop()
        yield place, value, around
        if isinstance(value, list):
            pending += [((*place, i), branch, around) for i, branch in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            kind = value.get("type")
            if kind in ("record", "error"):
                inner = full_name(value, around).rpartition(".")[0]
                fields = value.get("fields")
                for i, member in reversed(list(enumerate(fields if isinstance(fields, list) else []))):
                    if isinstance(member, dict):
                        pending.append(((*place, "fields", i, "type"), member.get("type"), inner))
            elif kind == "array":
                pending.append(((*place, "items"), value.get("items"), around))
            elif kind == "map":
                pending.append(((*place, "values"), value.get("values"), around))
            elif isinstance(kind, dict | list):
                pending.append(((*place, "type"), kind, around))


def counterpart(one: AvroDocument, other: AvroDocument, path: Tokens) -> Tokens | None:
    """What stands in `other` for the type at a path of `one`: fields by their names, branches of unions by their types."""
    here: Tokens = ()
    there: Tokens = ()
    tokens = list(path)
    while tokens:
        here, there = one.target(here), other.target(there)
        mine, theirs = one.at(here), other.at(there)
        token = tokens.pop(0)
        if isinstance(mine, list):
            here = (*here, int(token))
            there = _branch(one, other, here, there)
            continue
        if isinstance(theirs, list):
            there = other.target(_branch(one, other, here, there))
            theirs = other.at(there)
        if token == "fields" and tokens:
            index = int(tokens.pop(0))
            found = _field(value_at(mine, ("fields", index)), theirs)
            if found is None:
                return None
            here, there = (*here, "fields", index), (*there, "fields", found)
        elif token in ("type", "items", "values"):
            here, there = (*here, token), (*there, token)
            if value_at(other.root, there) is MISSING:
                return None
        else:
            return there
    return there


def _branch(one: AvroDocument, other: AvroDocument, here: Tokens, there: Tokens) -> Tokens:
    wanted = one.at(one.target(here))
    branches = other.at(there)
    if isinstance(branches, list):
        for i in range(len(branches)):
            found = other.at(other.target((*there, i)))
            same_kind = kind_of(found) == kind_of(wanted)
            if same_kind and (not isinstance(found, dict) or found.get("name") == _name(wanted)):
                return (*there, i)
    return there


def _name(node: Any) -> Any:
    return node.get("name") if isinstance(node, dict) else None


def _field(member: Any, record: Any) -> int | None:
    fields = record.get("fields") if isinstance(record, dict) else None
    if not isinstance(member, dict) or not isinstance(fields, list):
        return None
    names = [member.get("name"), *(member.get("aliases") or [])]
    for i, found in enumerate(fields):
        if isinstance(found, dict) and (
            found.get("name") in names or member.get("name") in (found.get("aliases") or [])
        ):
            return i
    return None


def moved(old: AvroDocument, path: Tokens, draft: AvroDocument, instead_of: Tokens | None) -> Any:
    """The type at a place of `old` as it can stand in `draft`: by full names, with the definitions that `draft` lacks.

    instead_of: the place in `draft` that it replaces; what is defined there is gone then.
    """
    known = {
        name
        for name, place in draft.definitions.items()
        if instead_of is None or place[: len(instead_of)] != instead_of
    }
    return _moved(old, path, known)


def _moved(old: AvroDocument, path: Tokens, known: set[str]) -> Any:
    node = old.at(path)
    if isinstance(node, str):
        if node in PRIMITIVE:
            return node
        name = old.qualified(node, path)
        if name in known or name not in old.definitions:
            return name
        return _moved(old, old.definitions[name], known)
    if isinstance(node, list):
        return [_moved(old, (*path, i), known) for i in range(len(node))]
    if not isinstance(node, dict):
        return node
    out: dict[str, Any] = dict(node)
    if is_definition(node):
        name = full_name(node, old.spaces.get(path, ""))
        if name in known:
            return name
        known.add(name)
        out = {k: v for k, v in node.items() if k != "namespace"}
        out["name"] = name
    inner: dict[Token, Any] = {}
    for token in ("items", "values", "type"):
        if token in node and (token != "type" or isinstance(node[token], dict | list)):
            inner[token] = _moved(old, (*path, token), known)
    out.update({str(k): v for k, v in inner.items()})
    if isinstance(node.get("fields"), list):
        out["fields"] = [
            {**member, "type": _moved(old, (*path, "fields", i, "type"), known)}
            if isinstance(member, dict) and "type" in member
            else member
            for i, member in enumerate(node["fields"])
        ]
    return out
