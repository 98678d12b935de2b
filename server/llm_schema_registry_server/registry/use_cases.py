"""All use cases of a registry, made in one place and shared by every face."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.providers.profile import Profile

from ..audit.notes import Signer
from ..model.config import EffectiveConfig
from ..model.schema import StoredContent
from ..storage.store import Store
from ..telemetry.work import Work
from .access_changes import Told
from .answering import Answering
from .api_keys import ApiKeys, Granted, Roles
from .assessment import Assessor
from .auditing import AuditLog
from .certifying import Certifying
from .changes import ChangeFeed
from .checking import Checking
from .coherence import Coherence
from .configuration import Configuration
from .conformance import CONFORMANCE_LIMITS, ConformanceCounters, ConformanceLimits
from .converting import Converting
from .deletion import Deletion
from .diffing import Diffing
from .fixing import Fixing
from .gating import ProviderGate
from .granting import GrantRules, Grants
from .graph import ReferenceGraph
from .health import Health
from .library import Library
from .lifecycle import Lifecycle
from .limits import RequestLimits
from .policing import Policies, TakePolicies
from .profiles import PROFILE_LIMITS, ProfileLimits, Profiles
from .providing import PROVIDER_LIMITS, ProviderLimits, Providing
from .reading import Reading
from .register import Register
from .revoking import Revoking
from .statistics import StatisticsCounter
from .subscribers import MOST_SUBJECTS
from .subscribing import Subscribing
from .validating import Validating
from .verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class UseCases:
    """What handlers call. A face has no rule of its own beside these."""

    register: Register
    reading: Reading
    lifecycle: Lifecycle
    deletion: Deletion
    checking: Checking
    validating: Validating
    answering: Answering
    fixing: Fixing
    graph: ReferenceGraph
    subscribing: Subscribing
    health: Health
    diffing: Diffing
    converting: Converting
    configuration: Configuration
    statistics: StatisticsCounter
    api_keys: ApiKeys
    revoking: Revoking
    grants: Grants
    policies: Policies
    audit: AuditLog
    certifying: Certifying
    profiles: Profiles
    providing: Providing
    verdicts: Verdicts
    conformance: ConformanceCounters


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the use cases about credentials need. roles, granted: see ApiKeys; told: learns of what changes. keys, revoked: so many there may
    be. leeway: how much longer than it says a token counts."""

    roles: Roles
    granted: Granted
    told: Told
    keys: int
    revoked: int
    leeway: timedelta


@dataclass(frozen=True, slots=True)
class Signing:
    """What signs verdicts, and the version of the engines; see Certifying."""

    signer: Callable[[], Signer] | None
    version: str


UNSIGNED = Signing(None, "")
"""Signs nothing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings decide about the use cases.

    `defaults` hold where nothing else is configured. `record_failures`: whether refused registrations are appended to the
    change log. `subjects_per_stream`: most subjects and patterns of one subscriber.
    `remedy_seconds`: longest search for ways out of a refusal. `profile_files`: profiles of providers from files, by id.
    `fix_seconds`: processor time of one search for fixes.
    """

    defaults: EffectiveConfig
    limits: RequestLimits
    record_failures: bool
    subjects_per_stream: int = MOST_SUBJECTS
    remedy_seconds: float = 3.0
    profile_limits: ProfileLimits = PROFILE_LIMITS
    provider_limits: ProviderLimits = PROVIDER_LIMITS
    profile_files: Mapping[str, Profile] = field(default_factory=dict)
    fix_seconds: float = 3.0
    conformance: ConformanceLimits = CONFORMANCE_LIMITS


def build(
    store: Store,
    library: Library,
    engines: Engines,
    feed: ChangeFeed,
    coherence: Coherence,
    health: Health,
    statistics: StatisticsCounter,
    rules: Rules,
    credentials: Credentials,
    granting: GrantRules,
    take_policies: TakePolicies,
    clock: Callable[[], datetime],
    *,
    signing: Signing = UNSIGNED,
    stage: Callable[[StoredContent], Awaitable[None]],
    validated: Callable[[str], None],
    work: Work | None = None,
) -> UseCases:
    """The use cases over a store. `stage` is told what is about to be stored (Register), `validated` the id of each
    schema that data was validated by (Validating); in `work` they note what becomes of schemas and data."""
    defaults, limits = rules.defaults, rules.limits
    profiles = Profiles(store, clock, rules.profile_limits, rules.profile_files)
    assessor = Assessor(library, rules.remedy_seconds, work, ProviderGate(library, profiles))
    diffing = Diffing(store, library, assessor, engines, defaults=defaults, limits=limits)
    validating = Validating(
        store, library, engines, defaults=defaults, limits=limits, validated=validated, work=work
    )
    coherence.listen(validating.forget)
    reading = Reading(store, library, limits)
    coherence.listen(reading.changed)
    checking = Checking(store, library, assessor, engines, defaults=defaults, limits=limits)
    return UseCases(
        register=Register(
            store,
            library,
            assessor,
            engines,
            coherence,
            defaults=defaults,
            limits=limits,
            record_failures=rules.record_failures,
            clock=clock,
            stage=stage,
            work=work,
        ),
        reading=reading,
        lifecycle=Lifecycle(
            store, library, assessor, coherence, defaults=defaults, limits=limits, clock=clock
        ),
        deletion=Deletion(store, library, assessor, coherence, defaults=defaults, clock=clock),
        checking=checking,
        validating=validating,
        answering=Answering(
            store, validating, library, engines, limits, defaults=defaults, work=work or Work()
        ),
        fixing=Fixing(checking, library, rules.fix_seconds),
        graph=ReferenceGraph(store, limits),
        subscribing=Subscribing(store, feed, most_subjects=rules.subjects_per_stream),
        health=health,
        diffing=diffing,
        converting=Converting(diffing, library, engines, limits),
        configuration=Configuration(store, defaults, coherence, clock, profiles),
        statistics=statistics,
        api_keys=ApiKeys(
            store, credentials.roles, credentials.granted, clock, credentials.told, most=credentials.keys
        ),
        revoking=Revoking(
            store, clock, credentials.told, most=credentials.revoked, leeway=credentials.leeway
        ),
        grants=Grants(store, granting, clock),
        policies=Policies(store, take_policies, clock),
        audit=AuditLog(store),
        certifying=Certifying(checking, signing.signer, lambda: store.registry_id, signing.version, clock),
        profiles=profiles,
        verdicts=Verdicts(store, profiles, limits),
        conformance=ConformanceCounters(store, clock, limits, rules.conformance, work),
        providing=Providing(store, library, diffing, validating, profiles, limits, rules.provider_limits),
    )
