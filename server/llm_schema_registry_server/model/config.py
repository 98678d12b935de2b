"""What may be set for the registry, a context or a subject; the narrower wins."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields

from llm_schema_engines.model.compatibility import CompatibilityLevel, Severity, Strictness, WriterModel
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.validation import FormatPolicy

from .profile import ProfileFit
from .quota import UNLIMITED, Quota


class Mode(enum.StrEnum):
    """READWRITE: normal. READONLY: no writes. IMPORT: ids and versions may be given by the caller."""

    READWRITE = "READWRITE"
    READONLY = "READONLY"
    IMPORT = "IMPORT"


class UndecidedPolicy(enum.StrEnum):
    """What the gate does with a verdict that could not be proved."""

    REFUSE = "REFUSE"
    ALLOW = "ALLOW"


class LintPolicy(enum.StrEnum):
    """What registration does with what the lint rules find. OFF: nothing is told. WARN: findings of the quick rules are told.
    REFUSE_ERRORS, REFUSE_WARNINGS: every rule runs, and a finding of that severity or worse refuses the schema."""

    OFF = "OFF"
    WARN = "WARN"
    REFUSE_ERRORS = "REFUSE_ERRORS"
    REFUSE_WARNINGS = "REFUSE_WARNINGS"


REFUSING: Mapping[LintPolicy, Severity] = {
    LintPolicy.REFUSE_ERRORS: Severity.ERROR,
    LintPolicy.REFUSE_WARNINGS: Severity.WARNING,
}
"""The policies that refuse, each with the mildest severity that it refuses."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one scope; None is "not set here"."""

    level: CompatibilityLevel | None = None
    mode: Mode | None = None
    strictness: Strictness | None = None
    writer_model: WriterModel | None = None
    apply_defaults: bool | None = None
    format_policy: FormatPolicy | None = None
    undecided: UndecidedPolicy | None = None
    default_dialect: str | None = None
    lint: LintPolicy | None = None
    max_subjects: int | None = None
    max_versions: int | None = None
    max_bytes: int | None = None
    profiles: tuple[str, ...] | None = None
    worst_fit: ProfileFit | None = None
    coercions: tuple[str, ...] | None = None

    @property
    def limits(self) -> bool:
        """Whether it says how much a context may hold."""
        return not (self.max_subjects is self.max_versions is self.max_bytes is None)

    @property
    def empty(self) -> bool:
        return all(getattr(self, f.name) is None for f in fields(self))


@fast_init
@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """The settings in force for a subject. `sources` names, field by field, the scope that decided."""

    level: CompatibilityLevel
    mode: Mode
    strictness: Strictness
    writer_model: WriterModel
    apply_defaults: bool
    format_policy: FormatPolicy
    undecided: UndecidedPolicy
    default_dialect: str
    lint: LintPolicy
    max_subjects: int = UNLIMITED
    max_versions: int = UNLIMITED
    max_bytes: int = UNLIMITED
    profiles: tuple[str, ...] = ()
    """Ids of the profiles of providers that a JSON Schema must fit, and how badly it may."""
    worst_fit: ProfileFit = ProfileFit.UNKNOWN
    coercions: tuple[str, ...] = ()
    """Names of the corrections of answers that are made when a request names none (answers.coercion.Coercion)."""
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def quota(self) -> Quota:
        """How much the context may hold."""
        return Quota(self.max_subjects, self.max_versions, self.max_bytes)


REGISTRY_SCOPE = "registry"
"""The scope key of the whole registry; contexts are `context:<name>`, subjects `subject:<qualified name>`."""
