"""What a check reads of a subject: the settings in force and the versions that it needs, both of one moment."""

from __future__ import annotations

from dataclasses import dataclass

from llm_schema_engines.compatibility.levels import LEVEL_REQUIREMENTS
from llm_schema_engines.model.compatibility import CompatibilityLevel

from ..model.config import EffectiveConfig
from ..model.subject import Subject
from ..storage.store import Store
from ..storage.values import Precondition
from .configuration import Scope, in_force
from .library import Library
from .subject_versions import SubjectVersions


@dataclass(frozen=True, slots=True)
class SubjectView:
    """precondition: what a write that rests on this view has to find unchanged."""

    precondition: Precondition
    config: EffectiveConfig
    versions: SubjectVersions


async def subject_view(
    store: Store,
    library: Library,
    subject: Subject,
    defaults: EffectiveConfig,
    *,
    level: CompatibilityLevel | None = None,
    whole: bool = False,
) -> SubjectView:
    """All versions where `level` (None: the subject's own) is transitive or `whole` is set, else perhaps their digest."""
    scope = Scope(subject)
    while True:  # until no writer slips in between; the call's deadline bounds it
        precondition = (await store.subject_snapshot(subject, scope.chain, "")).precondition
        config = in_force(precondition.configs, scope, defaults)
        every = whole or LEVEL_REQUIREMENTS[level or config.level].transitive
        versions = library.cached_versions(subject, precondition.stamp, whole=every)
        versions = versions or await library.versions(subject, whole=every)
        if versions.stamp == precondition.stamp:
            return SubjectView(precondition, config, versions)
