"""Builds pydantic classes from JSON Schema: the structure of what the schema describes. What is valid, the schema itself says."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, ForwardRef, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

from .._pointers import definition

_SCALARS: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": None,
}
_NO_WORD = re.compile(r"\W")


class Builder:
    """Makes the classes for one document. Each accepts every value that is valid under its part of the schema.

    base: the class that all of them extend. Parts whose structure is not one class, such as `allOf`, are Any.
    """

    def __init__(self, document: Mapping[str, Any], base: type[BaseModel]) -> None:
        self._document = document
        self._base = base
        self._by_pointer: dict[str, str] = {}
        self.classes: dict[str, type[BaseModel]] = {}

    def root(self, name: str, base: type[BaseModel]) -> type[BaseModel]:
        """The class for the whole document."""
        self._by_pointer["#"] = called = self._free_name(name)
        made = self._model(self._document, called, base)
        for known in self.classes.values():
            known.model_rebuild(_types_namespace={**self.classes, _ANY: Any})
        return made

    def type_of(self, schema: Any, name: str) -> Any:
        """The annotation for a value under a schema."""
        if not isinstance(schema, Mapping):
            return Any
        if isinstance(schema.get("$ref"), str):
            return self._referenced(schema["$ref"])
        if isinstance(schema.get("enum"), list) or "const" in schema:
            return _literal([schema["const"]] if "const" in schema else schema["enum"])
        if "allOf" in schema:
            alone = schema["allOf"]
            return self.type_of(alone[0], name) if len(alone) == 1 and "properties" not in schema else Any
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return Any if "properties" in schema else self._union(schema[word], name)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return self._union([{**schema, "type": kind} for kind in kinds], name)
        if kinds in _SCALARS:
            return _SCALARS[str(kinds)]
        if kinds == "array":
            items = schema.get("items")
            whole = isinstance(items, Mapping) and "prefixItems" not in schema
            return list[self.type_of(items, f"{name}Item")] if whole else list[Any]  # type: ignore[misc]  # made at run time
        if kinds == "object":
            return self._object(schema, name)
        return Any

    def _object(self, schema: Mapping[str, Any], name: str) -> Any:
        if schema.get("properties"):
            return self._model(schema, self._free_name(name), self._base)
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping) and "patternProperties" not in schema:
            return dict[str, self.type_of(values, f"{name}Value")]  # type: ignore[misc]  # made at run time
        return dict[str, Any]

    def _union(self, branches: list[Any], name: str) -> Any:
        found = [self.type_of(branch, f"{name}{n or ''}") for n, branch in enumerate(branches)]
        return Any if not found or Any in found else Union[tuple(found)]  # noqa: UP007  # made at run time

    def _referenced(self, reference: str) -> Any:
        """The class of a definition of this document; Any for another document."""
        if reference != "#" and not reference.startswith("#/"):
            return Any
        if reference in self._by_pointer:
            return ForwardRef(self._by_pointer[reference])
        try:
            at = definition(self._document, reference)
        except LookupError:
            return Any
        name = str(reference.rpartition("/")[2])
        if (
            isinstance(at, Mapping)
            and at.get("type") == "object"
            and at.get("properties")
            and not _compound(at)
        ):
            self._by_pointer[reference] = called = self._free_name(name)
            return self._model(at, called, self._base)
        self._by_pointer[reference] = _ANY  # what comes back to itself through what is no class
        found = self.type_of(at, name)
        del self._by_pointer[reference]
        return found

    def _model(self, schema: Mapping[str, Any], name: str, base: type[BaseModel]) -> type[BaseModel]:
        fields: dict[str, Any] = {}
        required = schema.get("required", ())
        for prop, held in schema.get("properties", {}).items():
            field = _field_name(prop, fields, base)
            kind = self.type_of(held, _camel(prop))
            about = held.get("description") if isinstance(held, Mapping) else None
            options: dict[str, Any] = {
                "description": about if isinstance(about, str) else None,
                "alias": prop if field != prop else None,
            }
            if prop in required:
                fields[field] = (kind, Field(**options))
            else:
                fields[field] = (Optional[kind], Field(default=None, **options))  # noqa: UP045  # made at run time
        closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
        config = ConfigDict(
            extra="forbid" if closed else "allow",
            protected_namespaces=(),
            validate_by_name=True,
            validate_by_alias=True,
        )
        description = schema.get("description")
        made: type[BaseModel] = create_model(
            name,
            __base__=type(f"_{name}", (base,), {"model_config": config, "__module__": base.__module__}),
            __doc__=description if isinstance(description, str) else None,
            __module__=base.__module__,
            **fields,
        )
        self.classes[name] = made
        return made

    def _free_name(self, name: str) -> str:
        base, number = _camel(name) or "Model", 1
        called = base
        while called in self.classes or called in self._by_pointer.values():
            number += 1
            called = f"{base}{number}"
        self.classes.setdefault(called, BaseModel)  # held until the class is there
        return called


_ANY = "Any"


def _compound(schema: Mapping[str, Any]) -> bool:
    return bool({"$ref", "allOf", "anyOf", "oneOf", "enum", "const"} & schema.keys())


def _literal(values: list[Any]) -> Any:
    """Literals where Python compares them as JSON Schema does; numbers do not (1 and 1.0, 1 and true)."""
    if values and all(isinstance(value, str) or value is None for value in values):
        return Literal[tuple(values)]
    return Any


def _camel(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name)  # as Python reads identifiers
    words = _NO_WORD.sub(" ", plain).replace("_", " ").split()
    called = "".join(word[:1].upper() + word[1:] for word in words)
    if called[:1].isdigit():
        called = f"M{called}"
    if keyword.iskeyword(called) or called == _ANY:
        called += "Model"
    return called if called.isidentifier() else ""


def _field_name(prop: str, taken: Mapping[str, Any], base: type[BaseModel]) -> str:
    """The attribute of a property: its own name, where Python and pydantic take it."""
    field = _NO_WORD.sub("_", unicodedata.normalize("NFKC", prop)).lstrip("_")
    if not field.isidentifier():
        field = f"field_{field}" if f"field_{field}".isidentifier() else "field"
    if keyword.iskeyword(field) or hasattr(base, field):
        field += "_"
    found, number = field, 1
    while found in taken:
        number += 1
        found = f"{field}_{number}"
    return found
