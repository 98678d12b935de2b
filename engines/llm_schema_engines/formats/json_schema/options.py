"""The options of a schema version: dialect and format policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import SchemaIssue
from ...model.fast_init import fast_init
from ...model.validation import FormatPolicy
from .dialects import DEFAULT, URIS, Dialect, dialect_of, find_dialect


@fast_init
@dataclass(frozen=True, slots=True)
class SchemaOptions:
    """How a schema is read: its dialect, and whether `format` decides validity."""

    dialect: Dialect
    format_policy: FormatPolicy

    @property
    def asserts_format(self) -> bool:
        if self.format_policy is FormatPolicy.DIALECT:
            return self.dialect.asserts_format
        return self.format_policy is FormatPolicy.ASSERT

    def as_mapping(self) -> Mapping[str, str]:
        """What is stored with the version."""
        return {"dialect": self.dialect.uri, "format_policy": self.format_policy.value}


@dataclass(frozen=True, slots=True)
class InvalidOption(Exception):
    """An option or `$schema` with an unknown value."""

    issue: SchemaIssue


def choose_options(content: Any, given: Mapping[str, str]) -> SchemaOptions:
    """The options in force: `$schema` wins over the given dialect, which is the subject's default.

    Raises InvalidOption for a dialect or a policy that is not known.
    """
    return SchemaOptions(choose_dialect(content, given), _policy(given))


def choose_dialect(content: Any, given: Mapping[str, str]) -> Dialect:
    """The dialect of a document; Raises InvalidOption when `$schema` or the default is not on the list."""
    declared = content.get("$schema") if isinstance(content, dict) else None
    if declared is not None:
        dialect = dialect_of(declared) if isinstance(declared, str) else None
        if dialect is None:
            raise InvalidOption(_unknown(str(declared), "/$schema"))
        return dialect
    name = given.get("dialect", "")
    if not name:
        return DEFAULT
    dialect = find_dialect(name)
    if dialect is None:
        raise InvalidOption(_unknown(name, ""))
    return dialect


def _policy(given: Mapping[str, str]) -> FormatPolicy:
    name = given.get("format_policy") or FormatPolicy.DIALECT.value
    try:
        return FormatPolicy(name)
    except ValueError:
        known = ", ".join(policy.value for policy in FormatPolicy)
        raise InvalidOption(
            SchemaIssue("json/format-policy", f"format policy {name[:40]!r} is not one of {known}")
        ) from None


def _unknown(name: str, pointer: str) -> SchemaIssue:
    known = ", ".join(URIS.values())
    return SchemaIssue("json/dialect", f"dialect {name[:200]!r} is not accepted; use one of {known}", pointer)
