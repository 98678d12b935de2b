"""What providers of language models take of schemas. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ..enums import (
    EvidenceBasis,
    GrammarSyntax,
    LossEffect,
    LossProof,
    ProfileFit,
    ProfileOrigin,
    ProviderSupport,
    Verdict,
)
from .reports import ValidationReport
from .schemas import Items

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProviderProfile:
    """What one provider does with schemas. `version` grows with each change; `as_of` is the newest date in it, YYYY-MM-DD.
    `enforces`: whether answers are held to the schema at all. `surfaces`: the envelopes that can be filled. `put_by`, `put_at`: of
    one that was put."""

    id: str
    version: int
    title: str
    provider: str
    as_of: str
    origin: ProfileOrigin
    enforces: bool
    surfaces: tuple[str, ...]
    put_by: str
    put_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProfileDocument:
    """A profile with the JSON text that it is made of."""

    profile: ProviderProfile
    document: str


@dataclass(frozen=True, slots=True)
class PutProfile:
    """A profile that was put. `created`: there was none with this id. `revision`: of the write; "" when nothing was changed."""

    profile: ProviderProfile
    created: bool
    revision: str


@dataclass(frozen=True, slots=True)
class ProfileFinding:
    """One place of a schema that a provider does not take and enforce as it stands: where, which rule, what follows, and how that
    is known."""

    pointer: str
    keyword: str
    rule: str
    support: ProviderSupport
    message: str
    basis: EvidenceBasis
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class ProfileBudget:
    """How much of a limit one schema uses. `per_request`: all schemas of a request share it."""

    measure: str
    used: int
    most: int
    per_request: bool


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """What a profile says about a schema. True when it fits without loss. `not_guaranteed`: what even an enforced schema does not
    promise. `truncated`: there are more findings."""

    profile: str
    profile_version: int
    fit: ProfileFit
    findings: tuple[ProfileFinding, ...]
    budgets: tuple[ProfileBudget, ...]
    not_guaranteed: tuple[str, ...]
    truncated: bool

    def __bool__(self) -> bool:
        return self.fit is ProfileFit.FITS


@dataclass(frozen=True, slots=True)
class ProfileCheck:
    """What profiles say about a schema, a report for each. `schema_id`: of the version that was checked; "" for a given schema."""

    reports: tuple[ProfileReport, ...]
    schema_id: str


@dataclass(frozen=True, slots=True)
class CompileLoss:
    """One difference between a schema and its compiled form. `witness`: a document in the shape of the schema that shows it, as JSON
    text; "" when none was found."""

    effect: LossEffect
    pointer: str
    keyword: str
    message: str
    proof: LossProof
    witness: str
    in_compiled: bool
    basis: EvidenceBasis
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """What must be checked after an answer, because the compiled form does not hold it."""

    pointer: str
    keyword: str
    message: str


@dataclass(frozen=True, slots=True)
class ProviderForm:
    """A schema as a provider takes it. False when it exceeds a limit of the provider.

    `envelope`: what goes into the request, as JSON text. `losses`: what it accepts more or less; `not_widened`, `not_narrowed`:
    whether it accepts no more, and no less: YES is proved. `decoder`: for `decode_answer` and the engines' `Decoder`; keep it
    beside the request. `decoded_schema`: what decoded answers are valid under.
    """

    profile: str
    profile_version: int
    surface: str
    name: str
    envelope: str
    schema: str
    fit: ProfileFit
    losses: tuple[CompileLoss, ...]
    not_widened: Verdict
    not_narrowed: Verdict
    checks: tuple[AnswerCheck, ...]
    not_guaranteed: tuple[str, ...]
    decoder: bytes
    decoded_schema: str
    report: ProfileReport
    schema_id: str

    @property
    def lossless(self) -> bool:
        """Whether it is proved that it accepts exactly what the schema accepts."""
        return self.not_widened is Verdict.YES and self.not_narrowed is Verdict.YES

    def __bool__(self) -> bool:
        return self.fit is not ProfileFit.REFUSED


@dataclass(frozen=True, slots=True)
class DecodedAnswer:
    """A provider's answer in the shape of its schema. `report`: of `data`; None when no schema was named. True unless it is not
    valid."""

    data: bytes
    report: ValidationReport | None

    def __bool__(self) -> bool:
        return self.report is None or self.report.valid


@dataclass(frozen=True, slots=True)
class ProviderGrammar:
    """A schema as a grammar; see ProviderForm for `losses` and the verdicts."""

    syntax: GrammarSyntax
    text: str
    losses: tuple[CompileLoss, ...]
    not_widened: Verdict
    not_narrowed: Verdict
    schema_id: str


@dataclass(frozen=True, slots=True)
class ProfileVerdict:
    """What a profile says about a registered version: how it fits, and the gravest of so many `findings`."""

    schema_id: str
    subject: str
    version: str
    ordinal: int
    profile_version: int
    fit: ProfileFit
    pointer: str
    keyword: str
    rule: str
    message: str
    findings: int


class VerdictPage(Items[T]):
    """One page of verdicts; it may have fewer than were asked for before the last one. `complete`: every version is judged by the
    newest version of the profile."""

    complete: bool = False
