"""What a registration is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from llm_schema_engines.model.compatibility import CompatibilityLevel, CompatibilityReport
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.lint import NOTHING_FOUND, LintReport
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.version import SemanticVersion

from ..model.lifecycle import SchemaState
from ..model.schema import Reference, SchemaVersion
from ..model.subject import Subject


@fast_init
@dataclass(frozen=True, slots=True)
class Registration:
    """What a caller wants registered. `level`: None leaves the level as it is. `version`: None derives it.

    activate: become ACTIVE, else REGISTERED. as_draft: store as DRAFT, parsed but not checked, whatever `activate` says.
    normalize: also take equal generation fingerprints as the same content. dry_run: do all but store.
    """

    subject: Subject
    schema_type: SchemaType
    content: bytes
    references: Sequence[Reference] = ()
    level: CompatibilityLevel | None = None
    version: SemanticVersion | None = None
    description: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    activate: bool = True
    normalize: bool = False
    dry_run: bool = False
    as_draft: bool = False

    @property
    def goal(self) -> SchemaState:
        """The state that the content shall have."""
        if self.as_draft:
            return SchemaState.DRAFT
        return SchemaState.ACTIVE if self.activate else SchemaState.REGISTERED

    def label(self, version: SchemaVersion) -> SchemaVersion:
        """A version that is there already with the labels of the registration; those that it does not give stay."""
        return replace(
            version,
            description=version.description if self.description is None else self.description,
            tags=tuple(dict.fromkeys(self.tags)) or version.tags,
            metadata=dict(self.metadata) or version.metadata,
        )


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """The version that holds the content now. `created`: whether this call added it.

    `deleted` is the newest softly deleted version of the subject with the same content when a new one was made of it.

    `report` is None when nothing was compared. In a dry run a version that would be added has the schema_id "" and the
    global id 0; one that would be promoted is shown as it would be.
    """

    version: SchemaVersion
    created: bool
    report: CompatibilityReport | None = None
    previous_state: SchemaState | None = None
    """Where content that was there already was promoted: the state that it had."""
    deleted: SchemaVersion | None = None
    lint: LintReport = NOTHING_FOUND
    """What is unwise in content that this call let in or stored as a draft; nothing where it was there already."""
