"""What checking a schema against a profile gives. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from ..model.fast_init import fast_init, fast_replace
from .profile import Basis, Cell, Profile, Support

MOST_FINDINGS = 500
"""Findings of one schema under one profile; those of the gravest kinds are kept."""


class Fit(enum.StrEnum):
    """How a schema, sent as it is, fits a provider.

    FITS: taken and enforced. FITS_WITH_LOSS: taken; answers may break it, or use less than it allows. UNKNOWN: something in it of
    which no source says what becomes of it. REFUSED: the request would be refused.
    """

    FITS = "FITS"
    FITS_WITH_LOSS = "FITS_WITH_LOSS"
    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"


_FIT = {
    Support.ENFORCED: Fit.FITS,
    Support.ACCEPTED: Fit.FITS_WITH_LOSS,
    Support.IGNORED: Fit.FITS_WITH_LOSS,
    Support.RESTRICTED: Fit.FITS_WITH_LOSS,
    Support.UNKNOWN: Fit.UNKNOWN,
    Support.REJECTED: Fit.REFUSED,
}
_GRAVITY = {support: list(Fit).index(fit) for support, fit in _FIT.items()}

CONSEQUENCES = {
    Support.ENFORCED: "is enforced by {provider}",
    Support.ACCEPTED: "is taken by {provider} and not enforced: answers may break it, check them",
    Support.IGNORED: "is dropped by {provider} without a word: answers may break it, check them",
    Support.RESTRICTED: "is taken by {provider}, whose answers use less than it allows",
    Support.REJECTED: "makes {provider} refuse the whole request",
    Support.UNKNOWN: "may make {provider} refuse the request, or may not be enforced: no source says",
}
"""What follows, in plain words, after the thing that is meant."""


@fast_init
@dataclass(frozen=True, slots=True)
class ProfileFinding:
    """One place of a schema that a provider does not take and enforce as it stands.

    pointer: a JSON pointer to the keyword, or to the schema whose shape is meant. keyword: "" for shapes, limits and names.
    rule: keyword/..., shape/..., limit/... or name/tool. message: the consequence. basis, source, as_of: how it is known.
    """

    pointer: str
    keyword: str
    rule: str
    support: Support
    message: str
    basis: Basis = Basis.NONE
    source: str = ""
    as_of: str = ""

    @property
    def fit(self) -> Fit:
        """What this finding alone makes of the schema."""
        return _FIT[self.support]

    def at(self, pointer: str) -> ProfileFinding:
        """The same at a place."""
        return fast_replace(self, pointer=pointer)

    def __str__(self) -> str:
        return (
            f"{self.pointer}: {self.message} ({self.rule})"
            if self.pointer
            else f"{self.message} ({self.rule})"
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of a limit one schema uses."""

    measure: str
    used: int
    most: int
    per_request: bool


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """What a profile says about a schema. True when it fits without loss.

    not_guaranteed: what even an enforced schema does not promise. truncated: there are more findings.
    """

    profile: str
    profile_version: int
    fit: Fit
    findings: tuple[ProfileFinding, ...] = ()
    budgets: tuple[Budget, ...] = ()
    not_guaranteed: tuple[str, ...] = ()
    truncated: bool = False

    def __bool__(self) -> bool:
        return self.fit is Fit.FITS


def gravity(found: ProfileFinding) -> int:
    """Greater is worse."""
    return _GRAVITY[found.support]


def gravest(findings: Sequence[ProfileFinding]) -> Sequence[int]:
    """The numbers of at most MOST_FINDINGS of them, in their order; the gravest are kept."""
    if len(findings) <= MOST_FINDINGS:
        return range(len(findings))
    return sorted(by_gravity(findings)[:MOST_FINDINGS])


def by_gravity(findings: Sequence[ProfileFinding]) -> list[int]:
    """The numbers of all of them, the gravest first; those of one gravity in their order."""
    return sorted(range(len(findings)), key=lambda n: -gravity(findings[n]))


def finding(
    profile: Profile, cell: Cell, pointer: str, rule: str, subject: str, keyword: str = "", note: str = ""
) -> ProfileFinding:
    """A finding of a cell. subject: what the sentence is about."""
    source = profile.sources[cell.source].title if cell.source else ""
    why = note or cell.note
    consequence = CONSEQUENCES[cell.support].format(provider=profile.provider)
    message = f"{subject} {consequence}{f' ({why})' if why else ''}"
    return ProfileFinding(pointer, keyword, rule, cell.support, message, cell.basis, source, cell.as_of)
