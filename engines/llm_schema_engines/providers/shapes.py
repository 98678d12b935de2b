"""Rewrites objects and arrays into what a provider enforces. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..formats.json_schema.resources import Place
from .conditions import Site
from .forms import Form, accepts_null
from .losses import Edit, LossEffect
from .merging import Conjunction, Given
from .profile import Support

if TYPE_CHECKING:
    from ..formats.json_schema.resources import DocumentIndex
    from .profile import Cell, Profile

PAIRS = "additional_properties"
"""The property that holds the pairs of an object which has declared properties too."""


class Rewriting(Protocol):
    """What the parts of a rewriter know of it."""

    profile: Profile
    index: DocumentIndex
    definitions: dict[str, Form]

    def convert(
        self, places: Sequence[Place], *, root: bool = False, origin: Place | None = None
    ) -> Form | None: ...
    def union(self, forms: list[Form], given: Given) -> Form: ...
    def nullable(self, form: Form) -> Form: ...
    def fits(self, pattern: str, name: str) -> bool | None: ...
    def anything(self) -> Form: ...
    def keep(self, form: Form, keyword: str, both: Conjunction, choose: Any = None) -> None: ...
    def cell(self, keyword: str, value: Any) -> Cell: ...
    def drop(self, given: Given, why: str, cell: Cell | None = None) -> None: ...
    def check(self, place: Place, keyword: str, message: str) -> None: ...
    def lose(
        self,
        effect: LossEffect,
        place: Place,
        keyword: str,
        message: str,
        cell: Cell | None,
        edits: tuple[Edit, ...] = (),
    ) -> None: ...


class _Extra:
    """What an object allows beside its declared properties: nothing, anything, or values of some schemas."""

    def __init__(self) -> None:
        self.closed = False
        self.schemas: list[Place] = []
        self.patterns: list[tuple[str, Place]] = []
        self.open_beside_patterns = True


class ObjectRewriting:
    """The part of a rewriter that is about objects."""

    def object_form(self: Any, both: Conjunction) -> Form | None:
        """What stands for an object; None when there is no valid one."""
        me: Rewriting = self
        place = both.parts[0][0]
        required = list(dict.fromkeys(name for given in both.all("required") for name in given.value))
        names = list(
            dict.fromkeys([*(n for given in both.all("properties") for n in given.value), *required])
        )
        extra = self._extra(both)
        closing = both.closing()
        if closing is not None:
            extra.closed = True
            if both.distributed:
                me.lose(
                    LossEffect.NARROWED,
                    closing.place,
                    "unevaluatedProperties",
                    "properties of several alternatives cannot be together",
                    None,
                )
        else:
            for given in both.all("unevaluatedProperties"):
                if given.value is not True:
                    me.drop(given, "")
        form = Form(
            {"type": "object", "properties": {}, "required": []},
            {"type": "object", "properties": {}, "required": []},
            None,
        )
        properties: dict[str, Any] = {}
        everything = me.profile.shape("optional_property").support is not Support.ENFORCED
        sent_names: set[str] = set()
        excluded: dict[str, list[Place]] = {}
        for name in names:
            places = self._places_of(both, name)
            converted = me.convert(places)
            if converted is None:
                if name in required:
                    return None
                form.meant["properties"][name] = False
                excluded[name] = places
                continue
            sent = self._sent_name(name, sent_names)
            codec: dict[str, Any] = {} if converted.codec is None else {"of": converted.codec}
            if sent != name:
                codec["name"] = name
            wire, meant = converted.wire, converted.meant
            if name in required or everything:
                form.wire["required"].append(sent)
            if name in required:
                form.meant["required"].append(name)
            elif everything:
                codec["optional"] = True
                if accepts_null(wire, me.definitions):
                    self._null_is_absent(both, name)
                    meant = {"allOf": [meant, {"not": {"type": "null"}}]}
                wire = me.nullable(
                    converted
                ).wire  # null is never decoded: it says that the property is left out
            form.wire["properties"][sent], form.meant["properties"][name] = wire, meant
            if codec:
                properties[sent] = codec
        if (
            names
            and not form.wire["required"]
            and me.profile.shape("no_required").support is not Support.ENFORCED
        ):
            first = next(iter(form.wire["properties"]), None)
            if first is not None:
                original = properties.get(first, {}).get("name", first)
                form.wire["required"].append(first)
                form.meant["required"].append(original)
                me.lose(
                    LossEffect.NARROWED,
                    place,
                    "required",
                    f"the property {original[:80]!r} is required: the provider asks for one",
                    me.profile.shape("no_required"),
                    (Edit(place.pointer, "required", False, [original]),),
                )
        if not form.wire["required"]:
            del form.wire["required"]
        form = self._with_extra(form, both, extra, properties, excluded)
        if form.wire["type"] == "object" and form.wire.get("additionalProperties") is not False:
            self._not_excluded(form, both, excluded)
            if form.codec is not None and "pairs" not in form.codec:
                self._not_renamed(form, place, properties)
        if form.codec is None or form.codec["k"] == "object":
            for word, choose in (("minProperties", max), ("maxProperties", min)):
                if everything:  # properties that are left out are sent as null
                    for given in both.all(word):
                        me.drop(given, "")
                else:
                    me.keep(form, word, both, choose)
            for given in both.all("propertyNames"):
                if names or form.wire.get("additionalProperties") is not False:
                    me.drop(given, "")
        return form  # type: ignore[no-any-return]  # self is Any, since it is a mixin

    def _not_excluded(self: Any, form: Form, both: Conjunction, excluded: Mapping[str, list[Place]]) -> None:
        """Properties that can have no value, in an object that is not closed: nothing keeps an answer from having them."""
        me: Rewriting = self
        for name, places in excluded.items():
            del form.meant["properties"][name]
            for at in places:
                part = next((p for p, schema in both.parts if name in schema.get("properties", {})), None)
                edits = (Edit(f"{part.pointer}/properties", name, False, True),) if part is not None else ()
                me.lose(
                    LossEffect.WIDENED,
                    at,
                    "false",
                    f"no value of {name[:80]!r} is valid; that it is left out is not enforced",
                    me.profile.shape("open_object"),
                    edits,
                )

    def _not_renamed(self: Any, form: Form, place: Place, properties: Mapping[str, Any]) -> None:
        """Further properties of an open object whose names others are sent under: they have no place."""
        me: Rewriting = self
        for sent, codec in properties.items():
            if "name" in codec and sent not in form.meant["properties"]:
                form.meant["properties"][sent] = False
                edit = Edit(f"{place.pointer}/properties", sent, False, False)
                me.lose(
                    LossEffect.NARROWED,
                    place,
                    "properties",
                    f"a further property {sent[:80]!r} cannot be answered: {codec['name'][:80]!r} is sent under this name",
                    None,
                    (edit,),
                )

    def _extra(self: Any, both: Conjunction) -> _Extra:
        extra = _Extra()
        for part, schema in both.parts:
            patterns = schema.get("patternProperties", {})
            rest = schema.get("additionalProperties", True)
            for pattern in patterns:
                extra.patterns.append((pattern, self.index.below(part, "patternProperties", pattern)))
            if rest is False and not patterns:
                extra.closed = True
            elif rest is False:
                extra.open_beside_patterns = False
            elif rest is not True and rest != {}:
                extra.schemas.append(self.index.below(part, "additionalProperties"))
        return extra

    def _places_of(self: Any, both: Conjunction, name: str) -> list[Place]:
        """The schemas that apply to the property of this name."""
        me: Rewriting = self
        found: list[Place] = []
        for part, schema in both.parts:
            declared = name in schema.get("properties", {})
            if declared:
                found.append(self.index.below(part, "properties", name))
            matched = undecided = False
            for pattern in schema.get("patternProperties", {}):
                fits = me.fits(pattern, name)
                if fits is None:
                    undecided = True
                    self.drop(
                        Given(schema["patternProperties"], part, "patternProperties"),
                        f"whether it is about {name[:80]!r} is not decided",
                    )
                elif fits:
                    matched = True
                    found.append(self.index.below(part, "patternProperties", pattern))
            if declared or matched or schema.get("additionalProperties", True) is True:
                continue
            if undecided:
                given = Given(schema["additionalProperties"], part, "additionalProperties")
                self.drop(given, f"whether it is about {name[:80]!r} is not decided")
            else:
                found.append(self.index.below(part, "additionalProperties"))
        return found

    def _sent_name(self: Any, name: str, taken: set[str]) -> str:
        """The name that is sent for a property: as it is where the provider takes it, otherwise with what it does not take
        replaced; names that meet are numbered in the order in which they come."""
        rule, sent = self.profile.property_name, name
        if rule is not None and (
            (rule.pattern and not re.fullmatch(rule.pattern, name)) or (rule.most and len(name) > rule.most)
        ):
            sent = usable_name(name, rule.pattern, rule.most)
        base, number = sent, 1
        while sent in taken:
            number += 1
            sent = f"{base[: (rule.most or 1000) - 4] if rule else base}_{number}"
        taken.add(sent)
        return sent

    def _null_is_absent(self: Any, both: Conjunction, name: str) -> None:
        for part, schema in both.parts:
            if name in schema.get("properties", {}):
                at = self.index.below(part, "properties", name)
                value = {"allOf": [at.schema, {"not": {"type": "null"}}]}
                edit = Edit(f"{part.pointer}/properties", name, False, value)
                self.lose(
                    LossEffect.NARROWED,
                    at,
                    "null",
                    "null is read as a property that is left out, so that a null cannot be answered",
                    self.profile.shape("optional_property"),
                    (edit,),
                )
                return

    def _with_extra(
        self: Any,
        form: Form,
        both: Conjunction,
        extra: _Extra,
        properties: dict[str, Any],
        excluded: Collection[str],
    ) -> Form:
        me: Rewriting = self
        place = both.parts[0][0]
        form.codec = {"k": "object", "properties": properties} if properties else None
        can_close = me.cell("additionalProperties", False).support is Support.ENFORCED
        open_cell = me.profile.shape("open_object")
        can_open = open_cell.support is Support.ENFORCED or (
            open_cell.support is Support.RESTRICTED
            and me.cell("additionalProperties", True).support is Support.ENFORCED
        )
        if (
            not can_close
            and not can_open
            and me.cell("additionalProperties", False).support is Support.REJECTED
        ):
            # Nothing can be said about further properties.
            for given in [
                *both.all("additionalProperties"),
                *both.all("patternProperties"),
                *both.all("unevaluatedProperties"),
            ]:
                if given.value is not True and not self._pairs_possible(extra, form):
                    me.drop(given, "")
            if not self._pairs_possible(extra, form):
                return form
        values = None if extra.closed else self._values(both, extra)
        if extra.closed:
            for given in both.all("patternProperties"):
                me.drop(given, "the object is closed")
            form.wire["additionalProperties"] = form.meant["additionalProperties"] = False
            if not can_close:
                del form.wire["additionalProperties"], form.meant["additionalProperties"]
                for given in [*both.all("additionalProperties"), *both.all("unevaluatedProperties")]:
                    me.drop(given, "")
            return form
        if can_open and (values is None or me.profile.shape("typed_map").support is Support.ENFORCED):
            sent: Any = True if values is None else values.wire
            if values is not None or open_cell.support is Support.RESTRICTED:
                form.wire["additionalProperties"] = sent
            form.meant["additionalProperties"] = True if values is None else values.meant
            if values is not None and values.codec is not None:
                form.codec = {
                    "k": "object",
                    "properties": properties,
                    "values": values.codec,
                    "declared": [*form.wire["properties"]],
                }
            return form
        alone = (Edit(place.pointer, "additionalProperties", False, False),) if len(both.parts) == 1 else ()
        if values is None and form.wire["properties"] and not can_close:
            return form  # nothing is said about further properties, and any may come
        if values is None and form.wire["properties"]:
            me.lose(
                LossEffect.NARROWED,
                place,
                "additionalProperties",
                "properties that are not declared cannot be answered",
                open_cell,
                alone,
            )
            form.wire["additionalProperties"] = form.meant["additionalProperties"] = False
            return form
        pairs: Form = self._as_pairs(form, both, values or me.anything(), properties, place, excluded)
        return pairs

    def _pairs_possible(self: Any, extra: _Extra, form: Form) -> bool:
        return not extra.closed and (bool(extra.schemas or extra.patterns) or not form.wire["properties"])

    def _values(self: Any, both: Conjunction, extra: _Extra) -> Form | None:
        """What a further property may be; None for anything. Where nothing is valid there, the object is closed."""
        me: Rewriting = self
        if not extra.schemas and not extra.patterns:
            return None
        rest = me.convert(extra.schemas) if extra.schemas else None
        if not extra.patterns:
            extra.closed = rest is None
            return rest
        for patterns in both.all("patternProperties"):
            me.drop(patterns, "which names have which values is not enforced")
        if not extra.schemas and extra.open_beside_patterns:
            return None
        forms = [f for f in (me.convert((p,)) for _, p in extra.patterns) if f is not None]
        forms += [] if rest is None else [rest]
        given = both.first("patternProperties")
        assert given is not None
        if not extra.open_beside_patterns or extra.schemas:
            for closing in both.all("additionalProperties"):
                me.lose(
                    LossEffect.WIDENED,
                    closing.place,
                    "additionalProperties",
                    "which names are allowed is not enforced",
                    me.profile.shape("typed_map"),
                )
        extra.closed = not forms
        return me.union(forms, given) if forms else None

    def _as_pairs(
        self: Any,
        form: Form,
        both: Conjunction,
        values: Form,
        properties: dict[str, Any],
        place: Place,
        excluded: Collection[str],
    ) -> Form:
        """Further properties as a list of keys and values."""
        me: Rewriting = self
        names = both.all("propertyNames")
        keys = me.convert([self.index.below(g.place, "propertyNames") for g in names]) if names else None
        key: dict[str, Any] = {"type": "string"}
        alone = not form.wire["properties"]
        if alone and keys is not None and keys.codec is None and keys.wire.get("type") == "string":
            key = keys.wire
            form.meant["propertyNames"] = keys.meant
        else:
            for given in names:
                me.drop(given, "")
        pair = {
            "type": "object",
            "properties": {"key": key, "value": values.wire},
            "required": ["key", "value"],
            "additionalProperties": False,
        }
        if me.cell("additionalProperties", False).support is not Support.ENFORCED:
            del pair["additionalProperties"]
        listed = {"type": "array", "items": pair}
        form.meant["additionalProperties"] = values.meant
        for word in ("minProperties", "maxProperties"):
            for given in both.all(word):
                me.drop(given, "")
        me.check(
            place,
            "additionalProperties",
            "further properties come as pairs of key and value; each key must occur once, and be none of the declared properties",
        )
        if alone:
            codec: dict[str, Any] = (
                {"k": "pairs"} if values.codec is None else {"k": "pairs", "of": values.codec}
            )
            if excluded:
                codec["declared"] = [*excluded]
            return Form(listed, form.meant, codec)
        name = PAIRS
        number = 1
        while name in form.wire["properties"] or name in excluded:
            number += 1
            name = f"{PAIRS}_{number}"
        declared = [*form.wire["properties"], *excluded]
        form.wire["properties"][name] = listed
        form.wire.setdefault("required", []).append(name)
        form.wire["additionalProperties"] = False
        if me.cell("additionalProperties", False).support is not Support.ENFORCED:
            del form.wire["additionalProperties"]
            del form.meant["additionalProperties"]
            for given in [*both.all("additionalProperties"), *both.all("patternProperties")]:
                me.drop(given, "properties that are not declared may come beside the pairs")
            taken = [name, *(sent for sent, known in properties.items() if "name" in known)]
            for sent in taken if values.meant is not True else ():
                if form.meant["properties"].setdefault(sent, values.meant) is values.meant:
                    me.lose(
                        LossEffect.NARROWED,
                        place,
                        "properties",
                        f"a further property {sent[:80]!r} comes among the pairs only",
                        None,
                    )
        whole: dict[str, Any] = {
            "k": "object",
            "properties": properties,
            "pairs": name,
            "values": values.codec,
            "declared": declared,
        }
        if "additionalProperties" not in form.wire:
            whole["open"] = {"wire": values.wire, "meant": values.meant}
        return Form(form.wire, form.meant, whole)


class ArrayRewriting:
    """The part of a rewriter that is about arrays."""

    def array_form(self: Any, both: Conjunction) -> Form | None:
        """What stands for an array."""
        me: Rewriting = self
        form = Form({"type": "array"}, {"type": "array"}, None)
        prefixes, rests = self._items_of(both)
        length = max(map(len, prefixes), default=0)
        positions = [
            [p[i] if i < len(p) else r for p, r in zip(prefixes, rests, strict=True)] for i in range(length)
        ]
        rest = [r for r in rests if r is not None]
        ended = any(r.schema is False for r in rest)
        items = None if length or ended or not rest else me.convert(rest)
        if length:
            self._tuple(form, both, [[p for p in at if p is not None] for at in positions], rest, ended)
        elif rest and items is None:
            form.wire.update(items={"type": "null"}, maxItems=0)
            form.meant["maxItems"] = 0
            if me.cell("maxItems", 0).support is not Support.ENFORCED:
                del form.wire["maxItems"], form.meant["maxItems"]
                form.meant["items"] = {"type": "null"}
                for given in [*both.all("items"), *both.all("additionalItems")]:
                    me.drop(given, "that the array is empty is not enforced")
        elif items is not None:
            form.wire["items"], form.meant["items"] = items.wire, items.meant
            form.codec = None if items.codec is None else {"k": "array", "items": items.codec}
        elif me.profile.shape("untyped_items").support is not Support.ENFORCED:
            items = me.anything()
            form.wire["items"] = items.wire
            form.codec = None if items.codec is None else {"k": "array", "items": items.codec}
        me.keep(form, "minItems", both, max)
        if form.wire.get("maxItems") != 0:
            me.keep(form, "maxItems", both, min)
        for given in both.all("uniqueItems"):
            if given.value is True and form.codec is None:
                me.keep(form, "uniqueItems", both)
            elif given.value is True:
                me.drop(given, "what is equal is told from what is not only in the schema's own shape")
        for given in [*both.all("contains"), *both.all("unevaluatedItems")]:
            if given.value is not True or given.keyword == "contains":
                me.drop(given, "")
        for word in ("minContains", "maxContains"):
            for given in both.all(word):
                if both.first("contains"):
                    me.drop(given, "")
        return form

    def _items_of(self: Any, both: Conjunction) -> tuple[list[list[Place]], list[Place | None]]:
        """For each schema: those of its first items, and that of the others."""
        prefixes: list[list[Place]] = []
        rests: list[Place | None] = []
        for part, schema in both.parts:
            items = schema.get("items")
            if isinstance(items, list):
                prefixes.append([self.index.below(part, "items", i) for i in range(len(items))])
                more = "additionalItems"
            else:
                prefixes.append(
                    [
                        self.index.below(part, "prefixItems", i)
                        for i in range(len(schema.get("prefixItems", ())))
                    ]
                )
                more = "items"
            rests.append(
                self.index.below(part, more) if more in schema and schema[more] is not True else None
            )
        return prefixes, rests

    def _tuple(
        self: Any, form: Form, both: Conjunction, positions: list[list[Place]], rest: list[Place], ended: bool
    ) -> None:
        me: Rewriting = self
        given = both.first("prefixItems") or both.first("items")
        assert given is not None
        converted = [me.convert(at) for at in positions]
        further = me.convert(rest) if rest and not ended else None
        known = [f for f in converted if f is not None]
        cell = me.profile.cell(Site("prefixItems", [], {"prefixItems": []}))
        if cell.support is Support.ENFORCED and len(known) == len(converted) and not rest:
            form.wire["prefixItems"], form.meant["prefixItems"] = (
                [f.wire for f in known],
                [f.meant for f in known],
            )
            if any(f.codec for f in known):
                form.codec = {"k": "array", "prefix": [f.codec for f in known]}
            return
        every = [*known, *([further] if further is not None else [])]
        if not rest:
            me.lose(
                LossEffect.NARROWED,
                given.place,
                given.keyword,
                "further items are only of the kinds of the first ones",
                cell,
            )
        for other in [*both.all("prefixItems"), *both.all("items"), *both.all("additionalItems")]:
            me.drop(other, "which item stands where is not enforced", cell)
        items = me.union(every, given) if every else me.anything()
        form.wire["items"], form.meant["items"] = items.wire, items.meant
        form.codec = None if items.codec is None else {"k": "array", "items": items.codec}


def usable_name(name: str, pattern: str, most: int) -> str:
    """A name like this one that a rule accepts: what it does not take becomes _, and it is cut to `most` characters."""
    kept = "".join(c if not pattern or re.fullmatch(pattern, f"a{c}") else "_" for c in name)
    if not kept or (pattern and not re.fullmatch(pattern, kept)):
        kept = f"_{kept}"
    if pattern and not re.fullmatch(pattern, kept):
        kept = f"x{kept[1:]}"
    return kept[:most] if most else kept
