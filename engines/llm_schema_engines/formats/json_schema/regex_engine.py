"""The engine that runs regular expressions: the validator's, with linear time. There is no other, so that prover, validator and
strict mode agree. Pure."""

from __future__ import annotations

import functools

import jsonschema_rs

from ...errors import InvalidSchema, SchemaIssue

OPTIONS = jsonschema_rs.RegexOptions()


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere in the text. Raises InvalidSchema for a pattern that the engine does not run, such as
    one with look-around; only a schema that was stored under other rules can have one."""
    return bool(_compiled(pattern).is_valid(text))


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True, pattern_options=OPTIONS)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        issue = SchemaIssue(
            "json/pattern", f"{pattern[:80]!r} is no regular expression of the linear-time engine"
        )
        raise InvalidSchema([issue]) from error
