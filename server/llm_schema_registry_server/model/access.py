"""What servers tell each other when credentials change, as it stands in the change log. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .timestamps import micros, moment


class AccessKind(enum.StrEnum):
    """What has changed."""

    API_KEY = "api_key"
    """A key was changed, rotated or removed; or made, which nobody needs to know."""
    TOKEN = "token"
    """A token was revoked."""
    GRANTS = "grants"
    """Who has which role where has changed; `item` is the holder."""
    POLICIES = "policies"
    """The access policies have changed; `item` is their version."""


@dataclass(frozen=True, slots=True)
class AccessChange:
    """One change. item: the id of the key or of the token, the holder, or the version. until (UTC): when the token would have ended; None for others."""

    kind: AccessKind
    item: str
    until: datetime | None = None

    @property
    def metadata(self) -> Mapping[str, str]:
        """As it stands in the change log."""
        ends = {} if self.until is None else {"until": str(micros(self.until))}
        return {"access": self.kind.value, "item": self.item, **ends}

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> AccessChange | None:
        """What `metadata` says; None for what this server does not know, so that anything may have changed."""
        try:
            until = metadata.get("until")
            return cls(
                AccessKind(metadata["access"]),
                metadata["item"],
                None if until is None else moment(int(until)),
            )
        except (KeyError, ValueError, OverflowError):
            return None
