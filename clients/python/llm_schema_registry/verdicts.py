"""Verdicts that a registry has signed, verified without it. Needs the package cryptography (extra `verify`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .audit_verify import open_note
from .enums import CompatibilityLevel, Verdict

NEEDS_CRYPTOGRAPHY = "verifying needs a package: pip install 'llm-schema-registry[verify]'"


class VerdictInvalid(ValueError):
    """The note is no verdict that the key has signed, or it is about another schema."""


@dataclass(frozen=True, slots=True)
class SignedVerdict:
    """What a registry claims: that at `at`, by the rules of `engine` (`rules` is their digest), the schema whose bytes have the SHA-256
    `content` was checked against the versions in `compared`, at `level`, with this outcome. `claims` is all of it.
    """

    registry: str
    subject: str
    content: str
    level: CompatibilityLevel
    verdict: Verdict
    compatible: bool
    compared: tuple[str, ...]
    at: datetime
    engine: str
    rules: str
    claims: Mapping[str, Any] = field(repr=False)

    def __bool__(self) -> bool:
        """Whether the schema is compatible."""
        return self.compatible


def verify_verdict(note: str, public_key: str, content: bytes | str | None = None) -> SignedVerdict:
    """The verdict in a signed note. `public_key` is what `schema-registry-server audit key` prints; with `content`, the verdict must be
    about these bytes. Raises VerdictInvalid.
    """
    try:
        text = open_note(note, public_key)
        origin, line = text.removesuffix("\n").split("\n")
        claims = json.loads(line)
        if origin != f"llm-schema-registry/{claims['registry']}/verdict" or claims["v"] != 1:
            raise ValueError("the note is no verdict")
        found = SignedVerdict(
            registry=claims["registry"],
            subject=claims["subject"],
            content=claims["new"]["content"],
            level=CompatibilityLevel(claims["level"]),
            verdict=Verdict(claims["verdict"]),
            compatible=claims["compatible"] is True,
            compared=tuple(version["version"] for version in claims["compared"]),
            at=datetime.strptime(claims["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
            engine=claims["engine"],
            rules=claims["rules"],
            claims=claims,
        )
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(NEEDS_CRYPTOGRAPHY) from error
    except (ValueError, KeyError, TypeError) as error:
        raise VerdictInvalid(f"this is no verdict that the key has signed: {error}") from error
    if content is not None:
        given = content.encode() if isinstance(content, str) else content
        if hashlib.sha256(given).hexdigest() != found.content:
            raise VerdictInvalid("the verdict is about another schema than this one")
    return found
