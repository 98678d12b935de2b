"""The limits of schemas, payloads and comparisons, against hostile input. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JsonSchemaLimits:
    """All limits of the JSON Schema engine; an error names the limit, its value and what was found."""

    schema_bytes: int = 2 * 1024 * 1024
    """Largest schema document."""
    schema_depth: int = 100
    """Deepest nesting of brackets in a schema document."""
    schema_nodes: int = 50_000
    """JSON values in one schema document."""
    keywords_per_object: int = 5_000
    """Members of one object of a schema document."""
    pointers: int = 16 * 1024 * 1024
    """Characters of the JSON pointers of all values of a schema document together: long names around many values."""
    uri_length: int = 2_048
    """Characters of one URI in a schema, also when it has been resolved; a fragment does not count."""
    addresses: int = 1_000
    """Different URIs under which a schema and what it references, directly and not, know each other."""
    references_in_schema: int = 5_000
    """`$ref`, `$dynamicRef` and `$recursiveRef` in a schema document and in what it references, together."""
    reference_chain: int = 100
    """Longest chain of schemas that apply to the same value by `$ref`, `allOf` and the like."""
    evaluation_paths: int = 100_000
    """Ways in which subschemas apply to one and the same value, counted through references."""
    pattern_length: int = 1_000
    """Characters of one regular expression."""
    patterns: int = 1_000
    """Regular expressions in one schema document."""
    pattern_weight: int = 200_000
    """States that all regular expressions of one schema document may compile to, estimated."""
    number_digits: int = 400
    """Digits of one number, and the largest decimal exponent."""
    issues: int = 100
    """Most issues reported of one schema."""
    data_bytes: int = 4 * 1024 * 1024
    """Largest payload."""
    data_depth: int = 128
    """Deepest nesting of brackets in a payload."""
    detailed_data_bytes: int = 64 * 1024
    """Largest payload for which every error is listed; above it only the first is."""
    error_work: int = 64 * 1024 * 1024
    """Payload bytes times nesting times values of the schema, 8 times the characters that all errors may hold (paths, enumerations), and
    1,400 bytes for each error that there may be, up to which every error is listed."""
    error_paths: int = 20_000
    """Ways in which one value is evaluated, up to which every error is listed."""
    error_text: int = 400
    """Characters of one error message, and of the value quoted in it."""
    compare_steps: int = 40_000
    """Steps of one proof; the same question always takes the same number of steps."""
    compare_seconds: float = 2.0
    """Seconds of processor time of one proof, after which it is UNDECIDED."""
    regex_states: int = 4_000
    """States of one search over regular expressions."""
    violations: int = 8
    """Most violations reported of one comparison."""


DEFAULT_LIMITS = JsonSchemaLimits()
