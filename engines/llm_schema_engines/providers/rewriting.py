"""Rewrites a schema into what a provider enforces, and notes what is lost and how answers are taken back. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from ..errors import InvalidRequest
from ..formats.engine import SchemaSource
from ..formats.json_schema.canonical import dump
from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.dialects import VALIDATORS, Dialect
from ..formats.json_schema.limits import DEFAULT_LIMITS
from ..formats.json_schema.pointers import join_pointer
from ..formats.json_schema.regex_engine import matches
from ..formats.json_schema.resources import Place, Unresolvable
from ..formats.json_schema.validation import JsonDataValidator
from ..model.dialect import URIS
from .conditions import Site, type_of
from .forms import Form, accepts_null, any_of, nullable_codec
from .losses import AnswerCheck, CompileLoss, Edit, LossEffect, LossProof, PendingLoss
from .merging import FAMILY, TYPES, Conjunction, Given, integer_range, same
from .profile import Basis, Cell, Profile, Support, WhenUnknown
from .shapes import ArrayRewriting, ObjectRewriting

MOST_NODES = 20_000
"""Subschemas of a compiled form, with those that are written out more than once."""
MOST_MATCHES = 200_000
"""Names of properties that are looked for patterns in; what is beyond is not decided, and so not enforced."""
_MOST_DEPTH = 150
_MOST_RANGE = 32
"""Integers between two bounds that may be written as an enum."""
ANNOTATING = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)
_SILENT = ANNOTATING | {
    "$schema",
    "$id",
    "id",
    "$anchor",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "$vocabulary",
    "$defs",
    "definitions",
}
_CONDITIONAL = ("if", "then", "else")
_DROPPED = (
    "not",
    *_CONDITIONAL,
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "$dynamicRef",
    "$recursiveRef",
)
"""Keywords that are never carried over: what stands for them would have to be exact in both directions."""
TEXT_HINT = "A JSON value, written as JSON text"


_PROBES = ("", "(", "\x00 {%")
"""Texts of which each format that is checked refuses one."""


_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_DECIDING = (
    *("minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)


def _allowed(values: list[Any], types: tuple[str, ...], both: Conjunction) -> list[Any]:
    """The listed values of some types that lengths, patterns and bounds allow."""
    kept = [v for v in values if type_of(v) in types or (type_of(v) == "integer" and "number" in types)]
    rules = [{k: v for k, v in schema.items() if k in _DECIDING} for _, schema in both.parts]
    if not kept or not any(rules):
        return kept
    text = dump({"$schema": URIS[Dialect.DRAFT_2020_12], "allOf": rules}, sort=False)
    validator = JsonDataValidator(SchemaSource(text.encode()), DEFAULT_LIMITS)
    return [v for v in kept if validator.accepts(dump(v, sort=False).encode())]


@functools.cache
def _decides(format_name: str, dialect: Dialect) -> bool:
    """Whether a format decides validity in a dialect, where formats do."""
    validator = VALIDATORS[dialect]({"format": format_name}, validate_formats=True)
    return not all(map(validator.is_valid, _PROBES))


class Rewriter(ObjectRewriting, ArrayRewriting):
    """One run over one schema for one profile."""

    def __init__(self, opened: OpenedSchema, profile: Profile) -> None:
        self.opened, self.profile, self.index = opened, profile, opened.document_index
        self.pending: dict[tuple[LossEffect, str, str], PendingLoss] = {}
        self.checks: dict[tuple[str, str], AnswerCheck] = {}
        self.definitions: dict[str, Form] = {}
        self._names: dict[object, str] = {}
        self._active: dict[object, str] = {}
        self._nodes = self._depth = self._matches = 0

    def convert(
        self, places: Sequence[Place], *, root: bool = False, origin: Place | None = None
    ) -> Form | None:
        """What stands for all these schemas together; None when no value is valid under them.

        Raises InvalidRequest when what stands for the schema would be too large.
        """
        if len(places) == 1 and not root and self._is_reference(places[0]):
            return self._reference(places[0])
        both = Conjunction(self.index, head=places[0] if len(places) == 1 else None)
        for place in places:
            self._flatten(place, both, frozenset())
        return self._guarded(both, origin)

    def combined(self, both: Conjunction, more: Iterable[Place]) -> Form | None:
        """`convert` for schemas that are taken together already, with some more."""
        whole = Conjunction(self.index, list(both.parts), both.impossible, both.distributed, both.head)
        for place in more:
            self._flatten(place, whole, frozenset())
        return self._guarded(whole)

    def _guarded(self, both: Conjunction, origin: Place | None = None) -> Form | None:
        """A recursion ends here: the same schemas inside themselves become a definition, or JSON text."""
        if both.impossible:
            return None
        key = both.key
        if key in self._active:
            return self._recursive(key, both, origin or both.parts[0][0])
        self._nodes += 1
        self._depth += 1
        if self._nodes > MOST_NODES or self._depth > _MOST_DEPTH:
            raise InvalidRequest(
                "schema",
                f"what {self.profile.id} enforces of it would have more than {MOST_NODES} subschemas, or nest more than "
                f"{_MOST_DEPTH} deep; split it, or use fewer references with other keywords beside them",
            )
        self._active[key] = ""
        try:
            form = self._alternatives(both)
        finally:
            self._depth -= 1
            name = self._active.pop(key)
        if name:
            self.definitions[name] = form or Form({"type": "string", "enum": []}, False, None)
        return form

    def _recursive(self, key: object, both: Conjunction, place: Place) -> Form:
        """place: where the schema leads back into itself."""
        allowed = self.profile.shape("recursion").support is Support.ENFORCED
        if not allowed or self.cell("$ref", "#/$defs/x").support is not Support.ENFORCED:
            self.check(
                place, "$ref", "the nested value is written as JSON text; read it, and check what it says"
            )
            self.lose(
                LossEffect.WIDENED,
                place,
                "$ref",
                "the schema refers to itself; from here on nothing is enforced",
                self.profile.shape("recursion"),
                (Edit(place.pointer, "$ref"),) if self._is_reference(place) else (),
            )
            return self.text_form()
        name = self._active[key] or self.name_definition(key, both.parts[0][0])
        self._active[key] = name
        if name not in self.definitions and (types := both.types()):
            self.definitions[name] = Form(
                {"type": types}, True, None
            )  # until it is finished: whether it may be null
        return Form({"$ref": f"#/$defs/{name}"}, {"$ref": f"#/$defs/{name}"}, {"k": "ref", "name": name})

    def _is_reference(self, place: Place) -> bool:
        schema = place.schema
        if not isinstance(schema, dict) or "$ref" not in schema:
            return False
        return place.dialect.isolates_references or all(word == "$ref" or word in _SILENT for word in schema)

    def _reference(self, place: Place) -> Form | None:
        target = self.resolve(place, place.schema["$ref"])
        described = isinstance(place.schema.get("description"), str)
        if target.schema is False:
            return None
        beside = self.profile.shape("reference_siblings").support is Support.ENFORCED
        if (
            target.schema is True
            or (described and not beside and self._is_leaf(target))
            or self.cell("$ref", "#/$defs/x").support is not Support.ENFORCED
        ):
            form = self.convert((target,), root=True, origin=place)
            if form is not None and described and "$ref" not in form.wire:
                form = Form({**form.wire, "description": place.schema["description"]}, form.meant, form.codec)
            return form
        both = Conjunction(self.index)
        self._flatten(target, both, frozenset())
        key = both.key
        if key in self._active:
            form = self._recursive(key, both, place)
        else:
            name = self.name_definition(key, target)
            if name not in self.definitions:
                converted = self._guarded(both)
                if converted is None:
                    return None
                self.definitions[name] = converted
            form = Form({"$ref": f"#/$defs/{name}"}, {"$ref": f"#/$defs/{name}"}, {"k": "ref", "name": name})
        if described:
            if beside:
                form = Form({**form.wire, "description": place.schema["description"]}, form.meant, form.codec)
            else:
                self.lose(
                    LossEffect.ANNOTATION,
                    place,
                    "description",
                    "a text beside $ref cannot be sent",
                    self.profile.shape("reference_siblings"),
                )
        return form

    def _is_leaf(self, place: Place) -> bool:
        return (
            not any("$ref" in p.schema for p in self.index.walk(place) if isinstance(p.schema, dict))
            and len(place.schema) < 8
        )

    def name_definition(self, key: object, place: Place) -> str:
        """The name under $defs for a schema, always the same one; names that meet are numbered in the order in which they come."""
        if key not in self._names:
            last = place.pointer.rpartition("/")[2] or place.document.name.rpartition("/")[2] or "root"
            base = re.sub(r"[^A-Za-z0-9_.-]", "_", last)[:60] or "schema"
            taken, name, number = set(self._names.values()), base, 1
            while name in taken:
                number += 1
                name = f"{base}_{number}"
            self._names[key] = name
        return self._names[key]

    def resolve(self, place: Place, reference: str) -> Place:
        """The schema that a reference leads to; raises InvalidRequest when there is none."""
        try:
            return self.index.resolve(place.base, reference)
        except Unresolvable as error:
            raise InvalidRequest("schema", f"{self.pointer_of(place)}/$ref: {error}") from error

    def _flatten(self, place: Place, both: Conjunction, inside: frozenset[tuple[int, str]]) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise InvalidRequest(
                "schema",
                f"what {self.profile.id} enforces of it would have more than {MOST_NODES} subschemas",
            )
        before = len(both.parts)
        both.add(place)
        if len(both.parts) == before:
            return
        schema = both.parts[-1][1]
        for number in range(len(schema.get("allOf", ()))):
            self._flatten(self.index.below(place, "allOf", number), both, inside)
        if "$ref" in schema:
            target = self.resolve(place, schema["$ref"])
            if target.key in inside:
                self.lose(
                    LossEffect.WIDENED,
                    place,
                    "$ref",
                    "a schema that applies itself to the same value is looked at once",
                    None,
                )
            else:
                self._flatten(target, both, inside | {target.key})

    def fits(self, pattern: str, name: str) -> bool | None:
        """Whether a pattern is found in the name of a property; None when too many of these questions have been asked."""
        self._matches += 1
        if self._matches > MOST_MATCHES:
            return None
        return matches(pattern, name)

    # One value, by alternatives and types.

    def _alternatives(self, both: Conjunction) -> Form | None:
        for word in _DROPPED:
            for dropped in both.all(word):
                self.drop(dropped, "it is left out: what stands for it would not be exact")
        given = both.first("anyOf") or both.first("oneOf")
        if given is None:
            return self._by_type(both)
        base = both.without(given, ANNOTATING | frozenset(_DROPPED))
        forms: list[Form] = []
        for number in range(len(given.value)):
            form = self.combined(base, (self.index.below(given.place, given.keyword, number),))
            if form is not None:
                forms.append(form)
        if not forms:
            return None
        if given.keyword == "oneOf" and len(forms) > 1:
            edits = (
                ()
                if "anyOf" in given.place.schema
                else (
                    Edit(given.place.pointer, "oneOf"),
                    Edit(given.place.pointer, "anyOf", False, given.place.schema["oneOf"]),
                )
            )
            self.lose(
                LossEffect.WIDENED,
                given.place,
                "oneOf",
                "a value that fits several alternatives is no longer refused",
                self.cell("oneOf", given.value),
                edits,
            )
        return self.annotated(self.union(forms, given), both)

    def union(self, forms: list[Form], given: Given) -> Form:
        """One of several forms; JSON text where a provider knows no unions."""
        unique: list[Form] = []
        for form in forms:
            if not any(form.wire == other.wire and form.meant == other.meant for other in unique):
                unique.append(form)
        if len(unique) == 1:
            return unique[0]
        if self.profile.null_form == "nullable":
            rest = [form for form in unique if form.wire != {"type": "null"}]
            if len(rest) < len(unique):
                return self.nullable(rest[0] if len(rest) == 1 else self.union(rest, given))
        if (
            self.profile.cell(Site("anyOf", [f.wire for f in unique], {"anyOf": []})).support
            is not Support.ENFORCED
        ):
            self.lose(
                LossEffect.WIDENED,
                given.place,
                given.keyword,
                "alternatives are not enforced; the value is written as JSON text",
                self.cell("anyOf", []),
                (Edit(given.place.pointer, given.keyword),),
            )
            return self.text_form()
        return any_of(
            unique,
            self.definitions,
            closing=self.cell("additionalProperties", False).support is Support.ENFORCED,
        )

    def nullable(self, form: Form) -> Form:
        """The form, or null."""
        wire, meant = form.wire, form.meant
        either = {"anyOf": [meant, {"type": "null"}]}
        if accepts_null(wire, self.definitions):
            return Form(wire, either, form.codec)
        if self.profile.null_form == "nullable":
            return Form({**wire, "nullable": True}, either, nullable_codec(form.codec))
        listed = self.profile.shape("type_list").support is Support.ENFORCED
        if listed and isinstance(wire.get("type"), str) and "enum" not in wire and "const" not in wire:
            return Form({**wire, "type": [wire["type"], "null"]}, either, nullable_codec(form.codec))
        null = Form({"type": "null"}, {"type": "null"}, None)
        if "anyOf" in wire and set(wire) <= {"anyOf", "description"}:
            return Form({**wire, "anyOf": [*wire["anyOf"], null.wire]}, either, nullable_codec(form.codec))
        description = (
            {"description": wire["description"]} if "description" in wire and "$ref" not in wire else {}
        )
        bare = Form({k: v for k, v in wire.items() if k not in description}, meant, form.codec)
        return Form({"anyOf": [bare.wire, null.wire], **description}, either, nullable_codec(form.codec))

    def _by_type(self, both: Conjunction) -> Form | None:
        types, values = both.types(), both.values()
        if values is not None:
            kinds = list(dict.fromkeys(type_of(v) for v in values))
            types = [
                k for k in kinds if types is None or k in types or (k == "integer" and "number" in types)
            ]
            if "number" in types and "integer" in types:
                types.remove("integer")
        if types is None:
            implied = list(dict.fromkeys(FAMILY[w] for w in both.words() if w in FAMILY))
            if not implied:
                return self.annotated(self.anything(), both)
            if (
                self.profile.shape("untyped").support is Support.ENFORCED
                and self.profile.shape("type_list").support is Support.ENFORCED
            ):
                return self._untyped(both, implied)
            return self.annotated(self._of_implied(both, implied), both)
        if not types:
            return None
        null, others = "null" in types, [t for t in types if t != "null"]
        forms = [form for _, form in self._forms_of(both, others, values)]
        if not forms:
            return self.annotated(Form({"type": "null"}, {"type": "null"}, None), both) if null else None
        given = both.first("type") or both.first("enum") or Given(None, both.parts[0][0], "type")
        form = self.union(forms, given)
        return self.annotated(self.nullable(form) if null else form, both)

    def _of_implied(self, both: Conjunction, implied: list[str]) -> Form:
        """Values of the types that the keywords are about, or of others where none of these is valid."""
        found = self._forms_of(both, implied, None)
        if not found:  # then the keywords refuse these types, and say nothing of others
            found = [((t,), Form({"type": t}, {"type": t}, None)) for t in ("string", "number", "boolean")]
        types = [t for group, _ in found for t in group]
        place = next(p for p, schema in both.parts if any(w in FAMILY for w in schema))
        self.lose(
            LossEffect.NARROWED,
            place,
            "type",
            f"only values of type {' or '.join(types)} can be answered: the schema states no type",
            self.profile.shape("untyped"),
            (Edit(place.pointer, "type", False, types[0] if len(types) == 1 else types),),
        )
        return self.union([form for _, form in found], Given(None, both.parts[0][0], "type"))

    def _forms_of(
        self, both: Conjunction, types: list[str], values: list[Any] | None
    ) -> list[tuple[tuple[str, ...], Form]]:
        """What stands for values of some types, scalars together where a list of types is taken; nothing for types without a
        valid value."""
        scalars = [t for t in types if t not in ("object", "array")]
        grouped: list[tuple[str, ...]] = [(t,) for t in types]
        if (
            len(scalars) > 1
            and values is None
            and self.profile.shape("type_list").support is Support.ENFORCED
        ):
            grouped = [tuple(scalars), *((t,) for t in types if t not in scalars)]
        return [(g, form) for g in grouped if (form := self._of_types(both, g, values)) is not None]

    def _untyped(self, both: Conjunction, implied: list[str]) -> Form | None:
        """What holds for values of some types, and nothing for those of the others."""
        others = [t for t in TYPES if t not in implied and t != "integer"]
        forms = [form for t in implied if (form := self._of_types(both, (t,), None)) is not None]
        scalars = [t for t in others if t not in ("array", "object")]
        if scalars:
            forms.append(Form({"type": scalars}, {"type": scalars}, None))
        bare = Conjunction(self.index, [(both.parts[0][0], {})])
        forms.extend(
            f for t in others if t not in scalars and (f := self._of_types(bare, (t,), None)) is not None
        )
        return self.annotated(self.union(forms, Given(None, both.parts[0][0], "type")), both)

    def _of_types(self, both: Conjunction, types: tuple[str, ...], values: list[Any] | None) -> Form | None:
        if types == ("object",) or types == ("array",):
            for given in [*both.all("enum"), *both.all("const")]:
                self.drop(given, "objects and arrays are not listed one by one")
            return self.object_form(both) if types == ("object",) else self.array_form(both)
        kind = types[0] if len(types) == 1 else list(types)
        form = Form({"type": kind}, {"type": kind}, None)
        if values is not None:
            kept = _allowed(values, types, both)
            if not kept:
                return None
            self._enumerate(form, both, kept)
        listed = "enum" in form.meant
        for one in types:
            if one == "string":
                self._strings(form, both, listed)
            elif one in ("integer", "number") and not listed and not self._as_range(form, both):
                self._numbers(form, both)
        return form

    def _enumerate(self, form: Form, both: Conjunction, values: list[Any]) -> None:
        givens = [*both.all("const"), *both.all("enum")]
        form.meant["enum"] = values
        if (
            len(values) == 1
            and givens[0].keyword == "const"
            and self.cell("const", values[0]).support is Support.ENFORCED
        ):
            form.wire["const"] = values[0]
        elif self.cell("enum", values).support is Support.ENFORCED:
            form.wire["enum"] = values
        elif len(values) == 1 and self.cell("const", values[0]).support is Support.ENFORCED:
            form.wire["const"] = values[0]
        else:
            del form.meant["enum"]
            for given in givens:
                self.drop(given, "")

    def _strings(self, form: Form, both: Conjunction, listed: bool) -> None:
        """listed: the values are, and lengths and patterns have decided which."""
        if not listed:
            self.keep(form, "minLength", both, max)
            self.keep(form, "maxLength", both, min)
            self.keep(form, "pattern", both)
        self._format(form, both)
        for word in ("contentEncoding", "contentMediaType"):
            for given in both.all(word):
                if given.place.dialect.isolates_references:  # draft 7 and older, where it decides validity
                    self.drop(given, "")

    def _format(self, form: Form, both: Conjunction) -> None:
        givens = both.all("format")
        if not givens:
            return
        place = givens[0].place
        asserted = self.opened.options.asserts_format and _decides(givens[0].value, place.dialect)
        cell = self.profile.cell(Site("format", givens[0].value, self._site(both, form)))
        for given in givens[1:]:
            if given.value != givens[0].value and asserted:
                self.drop(given, "a second format is not sent")
        if cell.support is Support.ENFORCED:
            form.wire["format"] = form.meant["format"] = givens[0].value
            if not asserted:
                self.lose(
                    LossEffect.NARROWED,
                    givens[0].place,
                    "format",
                    "the provider holds its answers to the format; the schema, in its dialect, does not",
                    cell,
                )
            return
        if cell.support is Support.ACCEPTED:
            form.wire["format"] = givens[0].value
        if asserted:
            self.drop(givens[0], "", cell)
        elif cell.support is not Support.ACCEPTED:
            self.lose(LossEffect.ANNOTATION, givens[0].place, "format", "the format is not sent", cell)

    def _numbers(self, form: Form, both: Conjunction) -> None:
        for word, choose in (
            ("minimum", max),
            ("exclusiveMinimum", max),
            ("maximum", min),
            ("exclusiveMaximum", min),
        ):
            givens = both.all(word)
            if (
                givens
                and word.startswith("exclusive")
                and form.wire["type"] == "integer"
                and self._inclusive(form, both, word, choose)
            ):
                continue
            self.keep(form, word, both, choose)
        self.keep(form, "multipleOf", both)

    def _inclusive(self, form: Form, both: Conjunction, word: str, choose: Any) -> bool:
        """Writes an exclusive bound of integers as the next inclusive one, where only that is enforced."""
        plain = "minimum" if word == "exclusiveMinimum" else "maximum"
        site = self._site(both, form)
        value = both.bound(word, choose)
        bound = (
            integer_range(None, 0, value, None) if plain == "minimum" else integer_range(0, None, None, value)
        )
        assert bound is not None
        edge = bound[0] if plain == "minimum" else bound[1]
        kept = self.profile.cell(Site(word, value, site)).support is Support.ENFORCED
        if kept or self.profile.cell(Site(plain, edge, site)).support is not Support.ENFORCED:
            return False
        known = form.wire.get(plain)
        form.wire[plain] = form.meant[plain] = edge if known is None else choose(edge, known)
        return True

    def _as_range(self, form: Form, both: Conjunction) -> bool:
        """Writes a few integers between two bounds as an enum, where bounds are not enforced."""
        if form.wire["type"] != "integer" or "enum" in form.wire or "const" in form.wire:
            return False
        givens = [
            g for w in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if (g := both.first(w))
        ]
        site = self._site(both, form)
        if all(self.profile.cell(Site(g.keyword, g.value, site)).support is Support.ENFORCED for g in givens):
            return False
        low, high = (
            both.bound(w, f) if both.first(w) else None for w, f in (("minimum", max), ("maximum", min))
        )
        above, below = (
            both.bound(w, f) if both.first(w) else None
            for w, f in (("exclusiveMinimum", max), ("exclusiveMaximum", min))
        )
        found = integer_range(low, high, above, below)
        if found is None or not 0 <= found[1] - found[0] < _MOST_RANGE:
            return False
        steps = [Decimal(given.value) for given in both.all("multipleOf")]
        values = [n for n in range(found[0], found[1] + 1) if all(Decimal(n) % step == 0 for step in steps)]
        if not values or self.cell("enum", values).support is not Support.ENFORCED:
            return False
        form.wire["enum"] = form.meant["enum"] = values
        return True

    # What the parts above share.

    def anything(self) -> Form:
        """Any value."""
        if self.profile.shape("untyped").support is Support.ENFORCED:
            return Form({}, True, None)
        return self.text_form()

    def text_form(self) -> Form:
        """Any value, written as JSON text."""
        return Form({"type": "string", "description": TEXT_HINT}, True, {"k": "text"})

    def annotated(self, form: Form, both: Conjunction) -> Form:
        """The form with the texts that the provider takes."""
        texts: dict[str, Any] = {}
        for word in both.words():
            if word not in ANNOTATING:
                continue
            given = both.first(word)
            assert given is not None
            cell = self.profile.cell(Site(word, given.value, {}))
            if cell.support in (Support.ENFORCED, Support.ACCEPTED):
                texts[word] = given.value
            elif word in ("description", "default", "examples"):
                self.lose(LossEffect.ANNOTATION, given.place, word, "it is not sent", cell)
        if not texts or "$ref" in form.wire:
            return form
        if form.codec is not None and form.codec["k"] == "text" and "description" in texts:
            texts["description"] = f"{texts['description']} ({TEXT_HINT})"
        kept = {k: v for k, v in form.wire.items() if k not in texts}
        first = {"type": kept.pop("type")} if "type" in kept else {}
        return Form({**first, **texts, **kept}, form.meant, form.codec)

    def keep(self, form: Form, keyword: str, both: Conjunction, choose: Any = None) -> None:
        """A keyword that says the same in the compiled form, if the provider takes it."""
        givens = both.all(keyword)
        if not givens:
            return
        value = both.bound(keyword, choose) if choose else givens[0].value
        for given in givens[1:]:
            if not choose and not same(given.value, value):
                self.drop(given, "the provider takes the keyword once")
        cell = self.profile.cell(Site(keyword, value, self._site(both, form)))
        if cell.support is Support.ENFORCED:
            form.wire[keyword] = form.meant[keyword] = value
            return
        if cell.support is Support.ACCEPTED or (
            cell.support is Support.UNKNOWN and self.profile.when_unknown is WhenUnknown.KEEP
        ):
            form.wire[keyword] = value
        for given in givens:
            self.drop(given, "", cell)

    def _site(self, both: Conjunction, form: Form) -> dict[str, Any]:
        return {**{k: v for _, schema in both.parts for k, v in schema.items()}, **form.wire}

    def cell(self, keyword: str, value: Any) -> Cell:
        """What the provider does with a keyword, away from the root."""
        return self.profile.cell(Site(keyword, value, {keyword: value}))

    def drop(self, given: Given, why: str, cell: Cell | None = None) -> None:
        """A keyword that is not enforced."""
        cell = cell or self.cell(given.keyword, given.value)
        words: tuple[str, ...] = _CONDITIONAL if given.keyword in _CONDITIONAL else (given.keyword,)
        if given.place.schema.get(given.keyword) is True and given.keyword in _BOUNDS:
            words = (given.keyword, _BOUNDS[given.keyword])  # as draft-04 says it, by both together
        edits = tuple(Edit(given.place.pointer, word) for word in words)
        for word in words if given.keyword in _BOUNDS else (given.keyword,):
            self.lose(LossEffect.WIDENED, given.place, word, why or "it is not enforced", cell, edits)

    def check(self, place: Place, keyword: str, message: str) -> None:
        """Something to check after an answer."""
        pointer = self.pointer_of(place)
        self.checks.setdefault((pointer, keyword), AnswerCheck(pointer, keyword, message))

    def pointer_of(self, place: Place) -> str:
        """The pointer of a schema, after the name of its document where that is a reference."""
        return place.pointer if place.document.number == 0 else f"{place.document.name}#{place.pointer}"

    def lose(
        self,
        effect: LossEffect,
        place: Place,
        keyword: str,
        message: str,
        cell: Cell | None,
        edits: tuple[Edit, ...] = (),
    ) -> None:
        """Notes a loss, each once."""
        held = isinstance(place.schema, dict) and keyword in place.schema
        pointer = join_pointer(self.pointer_of(place), keyword) if held else self.pointer_of(place)
        if (effect, pointer, keyword) in self.pending:
            return
        known = cell is not None and bool(cell.source)
        note = f" ({cell.note})" if cell is not None and cell.note else ""
        proof = LossProof.NOT_NEEDED if effect is LossEffect.ANNOTATION else LossProof.UNDECIDED
        loss = CompileLoss(
            effect,
            pointer,
            keyword,
            f"`{keyword}`: {message}{note}",
            proof,
            basis=cell.basis if cell is not None else Basis.NONE,
            source=self.profile.sources[cell.source].title if known and cell is not None else "",
            as_of=cell.as_of if cell is not None else "",
        )
        self.pending[effect, pointer, keyword] = PendingLoss(
            loss, edits if place.document.number == 0 else ()
        )
