"""The limits of a schema, a payload and a comparison, and what a schema text may hold beyond JSON. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AvroLimits:
    """Limits of strict and lenient parsing, validation and comparison. An error says which limit was passed."""

    schema_bytes: int = 2 * 1024 * 1024
    """Largest schema text; the references of a schema may together be four times as long."""
    schema_depth: int = 64
    """Deepest nesting of types inside types, referenced types included."""
    types: int = 10_000
    """Most types that one schema text may contain, references by name not counted."""
    fields: int = 5_000
    """Most record fields of one schema text."""
    symbols: int = 2_000
    """Most symbols of one enum."""
    name_length: int = 255
    """Longest full name, field name, symbol or alias, in characters."""
    fixed_bytes: int = 1024 * 1024
    """Largest size of a fixed type."""
    decimal_precision: int = 10_000
    """Largest precision of a decimal."""
    comments: bool = False
    """Whether a new schema may have comments, as Java's parser takes them: `// ...` and `/* ... */`. Stored ones may."""
    issues: int = 100
    """Most issues that one parse reports."""
    data_depth: int = 64
    """Deepest nesting of records, arrays and maps in a payload."""
    empty_items: int = 100_000
    """Most items of one array whose items occupy no bytes (nulls, empty records)."""
    pairs: int = 20_000
    """Most (reader type, writer type) pairs that one comparison looks at; with more the verdict is UNDECIDED."""
    violations: int = 100
    """Most violations that one comparison reports."""
    witness_values: int = 20_000
    """Most values in a witness; a violation that would need a larger one has none."""
