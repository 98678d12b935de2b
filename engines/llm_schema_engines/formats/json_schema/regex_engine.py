"""The engine that runs regular expressions: the validator's, with linear time. There is no other, so that prover, validator and
strict mode agree. Pure."""

from __future__ import annotations

import functools

import jsonschema_rs

OPTIONS = jsonschema_rs.RegexOptions()


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere in the text. Raises ValueError for a pattern that the engine does not run."""
    return bool(_compiled(pattern).is_valid(text))


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True, pattern_options=OPTIONS)
