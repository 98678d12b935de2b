"""Takes the answers of a provider back to the shape of the schema that they were asked with, and the other way round. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import DataRefused, InvalidRequest
from ..formats.engine import SchemaSource
from ..formats.json_schema.canonical import dump
from ..formats.json_schema.limits import DEFAULT_LIMITS, JsonSchemaLimits
from ..formats.json_schema.pointers import join_pointer
from ..formats.json_schema.reading import JsonReadError, read
from ..formats.json_schema.validation import JsonDataValidator
from ..model.dialect import URIS, Dialect

MOST_DEPTH = 200
"""Nesting of a document that is decoded."""
_URI = URIS[Dialect.DRAFT_2020_12]
OPTIONS = {"dialect": _URI, "format_policy": "ASSERT"}
"""How compiled forms are read: the provider holds its answers to the formats that are left in them."""


class Decoder:
    """The way between a provider's answers and a schema's own shape. `program` is JSON, and all that is needed to make one.

    decode(encode(x)) == x for every document x that the compiled form can express.
    """

    def __init__(self, program: Mapping[str, Any], limits: JsonSchemaLimits = DEFAULT_LIMITS) -> None:
        if not isinstance(program, Mapping) or program.get("format") != 1:
            raise InvalidRequest("decoder", "is no decoder that CompileForProvider made")
        self.program = program
        self._limits = limits
        self._codec = program.get("codec")
        self._definitions: Mapping[str, Any] = program.get("definitions", {})
        self._validators: dict[tuple[int, str], JsonDataValidator] = {}

    @property
    def identity(self) -> bool:
        """Whether answers have the schema's shape already."""
        return self._codec is None

    def decode(self, answer: bytes | str) -> bytes:
        """The answer in the shape of the schema, as JSON text. Raises DataRefused for what is no JSON or cannot be taken back."""
        return dump(self.decode_value(self._read(answer)), sort=False).encode()

    def encode(self, document: bytes | str) -> bytes:
        """What the provider would have to answer for this document. Raises DataRefused for what the compiled form has no place for."""
        return dump(self.encode_value(self._read(document)), sort=False).encode()

    def decode_value(self, value: Any) -> Any:
        """`decode` for a JSON value."""
        return self._decode(self._codec, value, "", 0)

    def encode_value(self, value: Any) -> Any:
        """`encode` for a JSON value."""
        return self._encode(self._codec, value, "", 0)

    def _read(self, text: bytes | str, pointer: str = "") -> Any:
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        try:
            return read(
                content,
                max_bytes=self._limits.data_bytes,
                max_depth=MOST_DEPTH,
                max_digits=self._limits.number_digits,
                what="data",
            )
        except JsonReadError as error:
            raise DataRefused(
                pointer, f"is not the JSON text that is expected here: {error.issue}"
            ) from error

    def _decode(self, codec: Any, value: Any, at: str, depth: int) -> Any:
        if codec is None:
            return value
        self._deep(depth, at)
        match codec["k"]:
            case "ref":
                return self._decode(self._definitions.get(codec["name"]), value, at, depth + 1)
            case "null_or":
                return None if value is None else self._decode(codec["of"], value, at, depth + 1)
            case "text":
                return self._read(value, at) if isinstance(value, str) else value
            case "wrap":
                if not isinstance(value, dict) or codec["key"] not in value:
                    raise DataRefused(at, f"has no property {codec['key']!r}, which holds the answer")
                return self._decode(
                    codec["of"], value[codec["key"]], join_pointer(at, codec["key"]), depth + 1
                )
            case "array":
                return self._items(codec, value, at, depth, self._decode)
            case "pairs":
                return self._from_pairs(codec.get("of"), value, {}, at, depth, codec.get("declared", ()))
            case "choice":
                branch = self._branch(codec, value, "wire")
                return value if branch is None else self._decode(branch["of"], value, at, depth + 1)
            case "object":
                return self._decode_object(codec, value, at, depth)
        raise InvalidRequest("decoder", f"has a step {str(codec['k'])[:40]!r}, which is none")

    def _decode_object(self, codec: Any, value: Any, at: str, depth: int) -> Any:
        if not isinstance(value, dict):
            return value
        out: dict[str, Any] = {}
        pairs = codec.get("pairs")
        renamed = {known["name"] for known in codec["properties"].values() if "name" in known}
        for name, item in value.items():
            if name == pairs:
                continue
            known = codec["properties"].get(name)
            below = join_pointer(at, name)
            if known is None and name in renamed:
                raise DataRefused(below, "is the name of a property that is sent under another one")
            if known is None:
                out[name] = (
                    self._decode(codec.get("values"), item, below, depth + 1)
                    if pairs is None and name not in codec.get("declared", ())
                    else item
                )
            elif item is not None or not known.get("optional"):
                out[known.get("name", name)] = self._decode(known.get("of"), item, below, depth + 1)
        if pairs is not None and pairs in value:
            below = join_pointer(at, pairs)
            out = self._from_pairs(codec.get("values"), value[pairs], out, below, depth, _own_names(codec))
        return out

    def _from_pairs(
        self, codec: Any, value: Any, out: dict[str, Any], at: str, depth: int, declared: Collection[str] = ()
    ) -> Any:
        if not isinstance(value, list):
            return value
        for number, pair in enumerate(value):
            below = join_pointer(at, number)
            if not isinstance(pair, dict) or not isinstance(pair.get("key"), str) or "value" not in pair:
                raise DataRefused(below, "is no pair of a key and a value")
            if pair["key"] in out or pair["key"] in declared:
                raise DataRefused(
                    below, f"the key {pair['key'][:80]!r} is there already, or that of a declared property"
                )
            out[pair["key"]] = self._decode(codec, pair["value"], join_pointer(below, "value"), depth + 1)
        return out

    def _encode(self, codec: Any, value: Any, at: str, depth: int) -> Any:
        if codec is None:
            return value
        self._deep(depth, at)
        match codec["k"]:
            case "ref":
                return self._encode(self._definitions.get(codec["name"]), value, at, depth + 1)
            case "null_or":
                return None if value is None else self._encode(codec["of"], value, at, depth + 1)
            case "text":
                return dump(value, sort=False)
            case "wrap":
                return {codec["key"]: self._encode(codec["of"], value, at, depth + 1)}
            case "array":
                return self._items(codec, value, at, depth, self._encode)
            case "pairs":
                return self._to_pairs(codec.get("of"), value, at, depth) if isinstance(value, dict) else value
            case "choice":
                branch = self._branch(codec, value, "meant")
                if branch is None:
                    raise DataRefused(at, "fits none of the alternatives of the compiled form")
                return self._encode(branch["of"], value, at, depth + 1)
            case "object":
                return self._encode_object(codec, value, at, depth)
        raise InvalidRequest("decoder", f"has a step {str(codec['k'])[:40]!r}, which is none")

    def _encode_object(self, codec: Any, value: Any, at: str, depth: int) -> Any:
        if not isinstance(value, dict):
            return value
        sent = {known.get("name", name): name for name, known in codec["properties"].items()}
        own = _own_names(codec)
        out: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, item in value.items():
            below = join_pointer(at, name)
            if name in sent:
                out[sent[name]] = self._encode(
                    codec["properties"][sent[name]].get("of"), item, below, depth + 1
                )
            elif name in own:
                out[name] = item
            elif codec.get("pairs") is not None:
                others[name] = item
            elif name in codec["properties"]:
                raise DataRefused(
                    below, "has no place in the compiled form, where another property has this name"
                )
            else:
                out[name] = self._encode(codec.get("values"), item, below, depth + 1)
        for name, known in codec["properties"].items():
            if known.get("optional") and name not in out:
                out[name] = None
        if codec.get("pairs") is not None:
            beside = {name: item for name, item in others.items() if self._beside(codec, name, item)}
            out.update(beside)
            paired = {name: item for name, item in others.items() if name not in beside}
            out[codec["pairs"]] = self._to_pairs(codec.get("values"), paired, at, depth)
        return out

    def _beside(self, codec: Any, name: str, item: Any) -> bool:
        """Whether a further property has no place among the pairs and may stand beside them, because the object is not closed."""
        others = codec.get("open")
        if not isinstance(others, dict) or name == codec["pairs"] or name in codec["declared"]:
            return False
        return not self._validator(others, "meant").accepts(dump(item, sort=False).encode())

    def _to_pairs(self, codec: Any, value: dict[str, Any], at: str, depth: int) -> list[Any]:
        return [
            {"key": k, "value": self._encode(codec, v, join_pointer(at, k), depth + 1)}
            for k, v in value.items()
        ]

    def _items(self, codec: Any, value: Any, at: str, depth: int, step: Any) -> Any:
        if not isinstance(value, list):
            return value
        prefix = codec.get("prefix", ())
        return [
            step(prefix[n] if n < len(prefix) else codec.get("items"), item, join_pointer(at, n), depth + 1)
            for n, item in enumerate(value)
        ]

    def _branch(self, codec: Any, value: Any, side: str) -> Any:
        """The first alternative that a value fits."""
        text = dump(value, sort=False).encode()
        for branch in codec["branches"]:
            if self._validator(branch, side).accepts(text):
                return branch
        return None

    def _validator(self, branch: Any, side: str) -> JsonDataValidator:
        key = (id(branch), side)
        if key not in self._validators:
            schema = branch[side]
            whole = {"allOf": [schema], "$defs": self.program.get(f"{side}_definitions", {})}
            source = SchemaSource(dump(whole, sort=False).encode(), (), OPTIONS)
            self._validators[key] = JsonDataValidator(source, self._limits)
        return self._validators[key]

    def _deep(self, depth: int, at: str) -> None:
        if depth > 2 * MOST_DEPTH:
            raise DataRefused(at, "is nested too deeply")


def _own_names(codec: Any) -> set[str]:
    """The declared names of an object, as the schema has them."""
    return {codec["properties"].get(name, {}).get("name", name) for name in codec.get("declared", ())}
