"""The bounds of the engines of the three schema types."""

from __future__ import annotations

from pydantic import Field

from .section import Section


class AvroSettings(Section):
    """Bounds of the Avro engine; sizes are in `limits`."""

    schema_depth: int = Field(64, ge=1, le=100)
    """Deepest nesting of types inside types; twice as deep with referenced types."""
    types: int = Field(10_000, ge=1)
    """Types that one schema text spells out, references by name not counted."""
    fields: int = Field(5_000, ge=1)
    """Record fields of one schema text."""
    symbols: int = Field(2_000, ge=1)
    """Symbols of one enum."""
    name_length: int = Field(255, ge=1)
    """Characters of a full name, field name, symbol or alias."""
    fixed_bytes: int = Field(1024 * 1024, ge=1)
    """Largest size of a fixed type."""
    decimal_precision: int = Field(10_000, ge=1)
    """Largest precision of a decimal."""
    issues: int = Field(100, ge=1)
    """Most issues reported of one schema."""
    data_depth: int = Field(64, ge=1, le=100)
    """Deepest nesting of records, arrays and maps in a payload."""
    empty_items: int = Field(100_000, ge=0)
    """Most items of one array that occupy no bytes (nulls, empty records)."""
    pairs: int = Field(20_000, ge=1)
    """Pairs of types that one comparison looks at; with more it is UNDECIDED."""
    violations: int = Field(100, ge=1)
    """Most violations reported of one comparison."""
    witness_values: int = Field(20_000, ge=1)
    """Most values in a witness; a violation that would need a larger one has none."""
    comments: bool = False
    """Whether new schemas may have comments (`// ...`, `/* ... */`), as Java's parser takes them. They are delivered as they were
    registered, and parsers of other languages refuse them."""


class ProtobufSettings(Section):
    """Bounds of the Protobuf engine; those of references and payloads are in `limits`."""

    file_bytes: int = Field(1024 * 1024, ge=1)
    """Largest .proto file. `limits.schema_bytes` bounds it too; the compiler takes longer than other engines for as much."""
    total_bytes: int = Field(4 * 1024 * 1024, ge=1)
    """Largest .proto file together with all that it references."""
    statements: int = Field(20_000, ge=1)
    """`;` and `,` in one file; the compiler's time grows with the square of some."""
    name_bytes: int = Field(8 * 1024 * 1024, ge=1)
    """All qualified names of one file together: long names around many fields."""
    schema_depth: int = Field(64, ge=1, le=64)
    """Deepest nesting of brackets and of the parts of option names; the compiler aborts its process near 100."""
    name_length: int = Field(255, ge=1)
    """Characters of one name."""
    issues: int = Field(100, ge=1)
    """Most issues reported of one schema."""
    data_depth: int = Field(100, ge=1, le=100)
    """Deepest nesting of messages in a payload."""
    compiled_bytes: int = Field(64 * 1024 * 1024, ge=0)
    """Memory of each process for compiled schemas, kept for validation and comparison."""


class JsonSchemaSettings(Section):
    """Bounds of the JSON Schema engine; sizes are in `limits`."""

    schema_depth: int = Field(100, ge=1)
    """Deepest nesting of brackets in a schema document."""
    schema_nodes: int = Field(50_000, ge=1)
    """JSON values in one schema document."""
    keywords_per_object: int = Field(5_000, ge=1)
    """Members of one object of a schema document."""
    pointers: int = Field(16 * 1024 * 1024, ge=1)
    """Characters of the JSON pointers of all values of a schema document together: long names around many values."""
    uri_length: int = Field(2_048, ge=1)
    """Characters of one URI in a schema, also when it has been resolved; a fragment does not count."""
    addresses: int = Field(1_000, ge=1)
    """Different URIs under which a schema and what it references, directly and not, know each other."""
    references_in_schema: int = Field(5_000, ge=1)
    """`$ref`, `$dynamicRef` and `$recursiveRef` in a schema document and in what it references, together."""
    reference_chain: int = Field(100, ge=1)
    """Longest chain of schemas that apply to the same value by `$ref`, `allOf` and the like."""
    evaluation_paths: int = Field(100_000, ge=1)
    """Ways in which subschemas apply to one and the same value, counted through references."""
    pattern_length: int = Field(1_000, ge=1)
    """Characters of one regular expression."""
    patterns: int = Field(1_000, ge=1)
    """Regular expressions in one schema document."""
    pattern_weight: int = Field(200_000, ge=1)
    """States that all regular expressions of one schema document may compile to, estimated."""
    number_digits: int = Field(400, ge=1)
    """Digits of one number, and the largest decimal exponent."""
    issues: int = Field(100, ge=1)
    """Most issues reported of one schema."""
    data_depth: int = Field(128, ge=1)
    """Deepest nesting of brackets in a payload."""
    detailed_data_bytes: int = Field(64 * 1024, ge=1)
    """Largest payload for which every error is listed; above it only the first is."""
    error_work: int = Field(64 * 1024 * 1024, ge=1)
    """Bound for payload bytes times nesting times schema size, for 8 times the characters that all errors may hold, and for 1,400 bytes of
    memory for each error that there may be, up to which every error is listed."""
    error_paths: int = Field(20_000, ge=1)
    """Ways of looking at one value up to which every error is listed."""
    error_text: int = Field(400, ge=1)
    """Characters of one error message, and of the value quoted in it."""
    compare_steps: int = Field(40_000, ge=1)
    """Steps of one proof; the same question always takes the same number of steps."""
    compare_seconds: float = Field(2.0, gt=0)
    """Time of one proof, after which it is UNDECIDED."""
    regex_states: int = Field(4_000, ge=1)
    """States of one search over regular expressions."""
    violations: int = Field(8, ge=1)
    """Most violations reported of one comparison."""
