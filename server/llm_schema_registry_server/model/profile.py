"""Profiles of providers as they are stored, and what they say about each version. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from llm_schema_engines.model.fast_init import fast_init

from .schema import SchemaVersion


class ProfileFit(enum.IntEnum):
    """How a schema, sent as it is, fits a provider; numbers are those of the wire, the mildest first. UNKNOWN: no source says what
    becomes of something in it."""

    FITS = 1
    FITS_WITH_LOSS = 2
    UNKNOWN = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class ProfileMark:
    """What tells whether a stored profile is still the one that was read."""

    id: str
    version: int
    put_at: datetime


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile that somebody put. document: JSON text (docs/llm/providers.md); version: what stands in it. put_at: in UTC."""

    id: str
    version: int
    document: str
    put_by: str
    put_at: datetime

    @property
    def mark(self) -> ProfileMark:
        return ProfileMark(self.id, self.version, self.put_at)


@fast_init
@dataclass(frozen=True, slots=True)
class ProfileVerdict:
    """What a version of a profile says about a version of a schema. pointer, keyword, rule, message: the gravest finding, clipped;
    "" without any. findings: how many there are."""

    schema_id: str
    profile: str
    profile_version: int
    fit: ProfileFit
    pointer: str = ""
    keyword: str = ""
    rule: str = ""
    message: str = ""
    findings: int = 0


@dataclass(frozen=True, slots=True)
class JudgedVersion:
    """A version and what a profile says about it."""

    version: SchemaVersion
    verdict: ProfileVerdict
