"""A parsed schema, as the public functions take and give it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import SchemaIssue
from ..formats.engine import ParsedSchema, ReferencedSchema, SchemaSource
from ..model.identity import identity
from ..model.schema import Fingerprints, SchemaType
from .arguments import expect, plain_text, schema_bytes


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that has been parsed: give it to any function of this package in place of text, and nothing is parsed again.

    `source` is what was parsed, with the options in force; `parsed` is all that parsing found out. Two schemas with
    equal `key` mean the same.
    """

    schema_type: SchemaType
    source: SchemaSource = field(repr=False)
    parsed: ParsedSchema = field(repr=False)
    identity: str = field(init=False)
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        expect(SchemaType, self.schema_type, "schema_type")
        expect(SchemaSource, self.source, "source")
        expect(ParsedSchema, self.parsed, "parsed")
        named = [(item.name, item.identity) for item in self.source.references]
        name = identity(self.schema_type, self.source.content, named)
        options = "&".join(f"{option}={value}" for option, value in sorted(self.source.options.items()))
        object.__setattr__(self, "identity", name)
        object.__setattr__(self, "key", f"{name}?{options}")

    @property
    def content(self) -> bytes:
        """The text as it was given."""
        return self.source.content

    @property
    def canonical(self) -> bytes:
        """The canonical form, UTF-8: keys in order, annotations kept."""
        return self.parsed.canonical

    @property
    def fingerprints(self) -> Fingerprints:
        """Digests of the bytes, of what can change what a model produces, and of what decides validity."""
        return self.parsed.fingerprints

    @property
    def names(self) -> tuple[str, ...]:
        """Names of types and fields."""
        return self.parsed.names

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The names of the references that the schema really uses."""
        return self.parsed.dependencies

    @property
    def warnings(self) -> tuple[SchemaIssue, ...]:
        """What the engine finds unwise and does not refuse."""
        return self.parsed.warnings

    def as_reference(self, name: str) -> ReferencedSchema:
        """This schema as another one uses it under `name`."""
        source = self.source
        plain_text(name, "name")
        return ReferencedSchema(name, self.identity, source.content, source.references, source.artifact)

    def with_content(self, content: bytes) -> Schema:
        """Another text in place of this one, not parsed: what it means may be asked, not whether it is well-formed."""
        source, content = self.source, schema_bytes(content, "content")
        return Schema(self.schema_type, SchemaSource(content, source.references, source.options), self.parsed)
