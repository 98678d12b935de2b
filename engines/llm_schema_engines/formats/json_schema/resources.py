"""The index of a schema document and all that it references: each subschema with its base URI. Pure.

No address or file is ever opened: a reference that leads to none of these documents cannot be resolved.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_specifications  # type: ignore[import-untyped]  # data only; it ships no types

from ...errors import InvalidSchema, SchemaIssue
from ...model.fast_init import fast_init
from ..engine import ReferencedSchema
from .canonical import dump
from .dialects import HOLDING_SCHEMAS, Dialect, dialect_of, subschemas
from .limits import JsonSchemaLimits
from .pointers import escape, follow, from_fragment, join_pointer, split_pointer
from .uris import DEFAULT_BASE, resolve_uri, split_fragment

REFERENCE_KEYWORDS = ("$ref", "$dynamicRef", "$recursiveRef")
_ADDRESSES = frozenset({"$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"})
"""Keywords that give a subschema an address."""
_DEFINITIONS = ("/$defs/", "/definitions/")
_SHOWN = 200
"""Characters of a reference in a message."""


class Unresolvable(LookupError):
    """A reference that leads to none of the indexed documents."""


Scope = tuple[tuple[str, tuple[int, str]], ...]


@fast_init
@dataclass(frozen=True, slots=True)
class Document:
    """One schema document. `name` is the reference under which the root uses it ("" for the root itself).

    builtin: it is a metaschema, which every validator knows by itself.
    """

    number: int
    name: str
    content: Any
    uri: str
    dialect: Dialect
    builtin: bool = False


@fast_init
@dataclass(frozen=True, slots=True)
class Place:
    """A subschema: its pointer and content, and the base URI and dialect in force there.

    `scope` is the dynamic scope: anchor name -> key of the outermost subschema that has the anchor on the path of
    references that led here. Only the prover uses it; elsewhere it is empty.
    """

    document: Document
    pointer: str
    schema: Any
    base: str
    dialect: Dialect
    scope: Scope = ()

    @property
    def key(self) -> tuple[int, str]:
        return (self.document.number, self.pointer)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two places with different schemas and one URI. `first` is None for a metaschema."""

    uri: str
    first: Place | None
    second: Place


@dataclass(slots=True)
class DocumentIndex:
    """The index of all documents. Fill it with `add`, then `resolve`."""

    limits: JsonSchemaLimits
    documents: list[Document] = field(default_factory=list)
    resources: dict[str, Place] = field(default_factory=dict)
    anchors: dict[tuple[str, str], Place] = field(default_factory=dict)
    dynamic_anchors: dict[str, list[Place]] = field(default_factory=dict)
    recursive_roots: list[Place] = field(default_factory=list)
    bases: dict[tuple[int, str], tuple[str, Dialect]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    """Identifiers that two different schemas have: what a reference to them means is open."""
    places: dict[int, list[Place]] = field(default_factory=dict)
    """All subschemas of each document, parents first."""

    def add(
        self, content: Any, uri: str, dialect: Dialect, name: str = "", *, builtin: bool = False
    ) -> Place:
        """Index a document that is known under `uri`; returns its root."""
        document = Document(len(self.documents), name, content, uri, dialect, builtin)
        self.documents.append(document)
        root = Place(document, "", content, uri, dialect)
        self._claim(uri, root)
        places = self.places[document.number] = list(self._walk(root))
        addressed = [p for p in places if isinstance(p.schema, dict) and not _ADDRESSES.isdisjoint(p.schema)]
        for place in addressed:
            self._index(place)
        base, dialect = self.bases.get(root.key, (uri, dialect))
        return Place(document, "", content, base, dialect)

    def walk(self, start: Place) -> Iterator[Place]:
        """The subschema at `start` and all below it, each with the base URI in force in it, parents first."""
        return self._walk(start) if start.pointer else iter(self.places[start.document.number])

    def walk_new(self, start: Place, walked: set[tuple[int, str]], *, definitions: bool) -> Iterator[Place]:
        """`walk` without the places in `walked`, to which it adds its own. definitions: whether to look into the
        definitions of the root document."""
        stack = [start]
        while stack:
            place = stack.pop()
            if place.key in walked:
                continue
            if not definitions and place.document.number == 0 and place.pointer.startswith(_DEFINITIONS):
                continue
            walked.add(place.key)
            if isinstance(place.schema, dict):
                place = self._rebase(place)
                stack.extend(self._below(place))
            yield place

    def _walk(self, start: Place) -> Iterator[Place]:
        stack = [start]
        while stack:
            place = stack.pop()
            schema = place.schema
            if isinstance(schema, dict):
                if "$id" in schema or "id" in schema:
                    place = self._rebase(place)
                if not HOLDING_SCHEMAS[place.dialect].isdisjoint(schema):  # most hold none
                    stack.extend(self._below(place))
            yield place

    def _below(self, place: Place) -> list[Place]:
        """The direct subschemas, the last one first."""
        document, pointer, base, dialect = place.document, place.pointer, place.base, place.dialect
        return [
            Place(
                document,
                f"{pointer}/{keyword}" if name is None else f"{pointer}/{keyword}/{escape(name)}",
                sub,
                base,
                dialect,
            )
            for keyword, name, sub in reversed(subschemas(place.schema, dialect))
        ]

    def child(self, place: Place, keyword: str, name: str | int | None) -> Place:
        """`below` for one of dialects.subschemas."""
        return self.below(place, keyword) if name is None else self.below(place, keyword, name)

    def below(self, place: Place, *tokens: str | int) -> Place:
        """The subschema at a path of keywords, names and numbers below `place`, with the base URI and dialect in force there."""
        schema = place.schema
        for token in tokens:
            schema = schema[token]
        document, pointer = place.document, join_pointer(place.pointer, *tokens)
        base, dialect = place.base, place.dialect
        if isinstance(schema, dict) and ("$id" in schema or "id" in schema):
            base, dialect = self.bases.get((document.number, pointer), (base, dialect))
        return Place(document, pointer, schema, base, dialect, place.scope)

    def resolve(self, base: str, reference: str) -> Place:
        """The subschema that `reference` means at `base`; raises Unresolvable."""
        uri, fragment = split_fragment(resolve_uri(base, reference))
        root = self.resources.get(uri) or self._metaschema(uri)
        if root is None:
            raise Unresolvable(
                f"{uri[:_SHOWN]!r} is not among the references of this schema, and no address is opened; register that "
                f"schema and give it as a reference with the name {reference.partition('#')[0][:_SHOWN]!r}, or put it into "
                "$defs"
            )
        fragment = from_fragment(fragment)
        if not fragment:
            return root
        if not fragment.startswith("/"):
            anchor = self.anchors.get((uri, fragment))
            if anchor is None:
                raise Unresolvable(f"no subschema of {uri[:_SHOWN]!r} has the anchor {fragment[:_SHOWN]!r}")
            return anchor
        return self._descend(root, fragment)

    def _descend(self, root: Place, fragment: str) -> Place:
        try:
            # First, because it ends where nothing stands: below, a pointer is made for each step.
            target = follow(root.schema, fragment)
        except (LookupError, ValueError):
            raise Unresolvable(f"nothing stands at {fragment[:_SHOWN]!r}") from None
        if not isinstance(target, dict | bool):
            raise Unresolvable(f"what stands at {fragment[:_SHOWN]!r} is not a schema")
        base, dialect, pointer = root.base, root.dialect, root.pointer
        for token in split_pointer(fragment):
            pointer = join_pointer(pointer, token)
            base, dialect = self.bases.get((root.document.number, pointer), (base, dialect))
        return Place(root.document, pointer, target, base, dialect)

    def _rebase(self, place: Place) -> Place:
        """The place with the base URI and dialect that its own `$id` and `$schema` set."""
        if "$id" not in place.schema and "id" not in place.schema:
            return place
        known = self.bases.get(place.key)
        if known is None:
            found = _own_identifier(place)
            if found is None:
                return place
            dialect, identifier = found
            known = absolute_uri(place.base, identifier, self.limits), dialect
            self.bases[place.key] = known
        return Place(place.document, place.pointer, place.schema, *known)

    def _index(self, place: Place) -> None:
        schema = place.schema  # an object
        if place.key in self.bases:
            self._claim(place.base, place)
        if place.dialect.isolates_references:
            identifier = schema.get(place.dialect.identifier)
            if isinstance(identifier, str) and is_anchor(identifier) and "$ref" not in schema:
                self._name(identifier[1:], place)
            return
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = schema.get(keyword)
            if isinstance(name, str):
                self._name(name, place)
                if keyword == "$dynamicAnchor" and place.dialect is Dialect.DRAFT_2020_12:
                    self.dynamic_anchors.setdefault(name, []).append(place)
        if schema.get("$recursiveAnchor") is True:
            self.recursive_roots.append(place)

    def _claim(self, uri: str, place: Place) -> None:
        """Note that a place has a URI."""
        if not place.document.builtin and uri.partition("://")[2].startswith("json-schema.org/"):
            own = _metaschemas().get(uri)
            if own is not None and not _same(own, place.schema):
                self.conflicts.append(Conflict(uri, None, place))
        first = self.resources.setdefault(uri, place)
        if first is not place and not _same(first.schema, place.schema):
            self.conflicts.append(Conflict(uri, first, place))

    def _name(self, anchor: str, place: Place) -> None:
        """Note that a place has an anchor in its resource."""
        first = self.anchors.setdefault((place.base, anchor), place)
        if first is not place and first.key != place.key and not _same(first.schema, place.schema):
            self.conflicts.append(Conflict(f"{place.base}#{anchor}", first, place))

    def _metaschema(self, uri: str) -> Place | None:
        content = _metaschemas().get(uri)
        if content is None:
            return None
        dialect = dialect_of(content["$schema"])
        if dialect is None:
            return None
        self.add(content, uri, dialect, name=uri, builtin=True)
        return self.resources[uri]


def _same(one: Any, other: Any) -> bool:
    """Whether two schemas are written alike; == alone does not tell 1 from true."""
    return one is other or (one == other and dump(one, sort=True) == dump(other, sort=True))


def is_anchor(identifier: str) -> bool:
    """Whether draft 7 and older ones read an identifier as the name of a place in its document."""
    return identifier.startswith("#") and len(identifier) > 1


def _own_identifier(place: Place) -> tuple[Dialect, str] | None:
    """The dialect and the identifier of a schema object that has a URI of its own; None when it has none.

    `$schema` counts only beside an identifier (JSON Schema 2020-12 core, section 8.1.1), which may be written as its own
    dialect or as that around it writes it.
    """
    schema, around = place.schema, place.dialect
    declared = schema.get("$schema")
    own = (dialect_of(declared) if isinstance(declared, str) else None) or around
    for dialect in dict.fromkeys((own, around)):
        if dialect.isolates_references and "$ref" in schema:
            continue
        for keyword in dict.fromkeys((dialect.identifier, around.identifier)):
            identifier = schema.get(keyword)
            if isinstance(identifier, str) and not is_anchor(identifier):
                return dialect, identifier
    return None


@functools.cache
def _metaschemas() -> Mapping[str, Any]:
    registry = jsonschema_specifications.REGISTRY
    return {split_fragment(uri)[0]: registry.contents(uri) for uri in registry}


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A referenced document as JSON, and its dialect."""

    content: Any
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class ReferencedDocument:
    """A referenced document at one of its addresses; `name`: the reference of the root that leads there; `identity`: of
    its content and of what it references."""

    uri: str
    name: str
    identity: str
    parsed: ParsedDocument


def closure(
    content: Any,
    dialect: Dialect,
    references: tuple[ReferencedSchema, ...],
    read: Mapping[str, ParsedDocument],
    limits: JsonSchemaLimits,
) -> list[ReferencedDocument]:
    """Every address of every referenced document; `read`: identity -> the parsed document.

    A relative name is resolved against the base of the document that uses it, and against the default base. Raises
    InvalidSchema when there are too many addresses: each level of references can double them.
    """
    found: dict[tuple[str, str], ReferencedDocument] = {}
    if references:
        _add_references(references, _base(content, dialect, DEFAULT_BASE, limits), "", read, found, limits)
    return list(found.values())


def _add_references(
    references: tuple[ReferencedSchema, ...],
    base: str,
    top: str,
    read: Mapping[str, ParsedDocument],
    found: dict[tuple[str, str], ReferencedDocument],
    limits: JsonSchemaLimits,
) -> None:
    """Adds what a document at `base` references; `top`: the reference of the root that leads to the document."""
    for item in references:
        parsed, way = read[item.identity], top or item.name
        for start in dict.fromkeys((base, DEFAULT_BASE)):
            uri = absolute_uri(start, item.name, limits)
            if (uri, item.identity) not in found:
                if len(found) >= limits.addresses:
                    raise InvalidSchema(
                        [
                            SchemaIssue(
                                "json/addresses",
                                f"the references know each other under more than {limits.addresses} URIs, which is "
                                "the limit (setting json_schema.addresses); name them by absolute URIs",
                            )
                        ]
                    )
                found[uri, item.identity] = ReferencedDocument(uri, way, item.identity, parsed)
                base_there = _base(parsed.content, parsed.dialect, uri, limits)
                _add_references(item.references, base_there, way, read, found, limits)


def absolute_uri(base: str, reference: str, limits: JsonSchemaLimits) -> str:
    """The absolute URI, without fragment, of a reference that stands at `base`. Raises InvalidSchema for a longer one than
    the limit: bases that grow from level to level, copied for each subschema, would fill the memory."""
    uri = split_fragment(resolve_uri(base, reference))[0]
    if len(uri) > limits.uri_length:
        raise InvalidSchema(
            [
                SchemaIssue(
                    "json/uri-length",
                    f"the URI {uri[:_SHOWN]!r}... is {len(uri)} characters long; the limit is {limits.uri_length} (setting json_schema.uri_length)",
                )
            ]
        )
    return uri


def _base(content: Any, dialect: Dialect, uri: str, limits: JsonSchemaLimits) -> str:
    """The base URI of a document that is registered under `uri`."""
    identifier = content.get(dialect.identifier) if isinstance(content, dict) else None
    if not isinstance(identifier, str) or (dialect.isolates_references and "$ref" in content):
        return uri
    return absolute_uri(uri, identifier, limits)


def build_index(
    content: Any, dialect: Dialect, members: list[ReferencedDocument], limits: JsonSchemaLimits
) -> tuple[DocumentIndex, Place]:
    """The index of a document and of all that it references. Raises InvalidSchema for URIs that grow beyond the limit."""
    document_index = DocumentIndex(limits)
    root = document_index.add(content, DEFAULT_BASE, dialect)
    for member in members:
        document_index.add(member.parsed.content, member.uri, member.parsed.dialect, member.name)
    return document_index, root
