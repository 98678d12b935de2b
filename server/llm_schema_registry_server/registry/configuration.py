"""GetConfig, SetConfig, DeleteConfig, and the settings in force for a subject."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from llm_schema_engines.model import dialect
from llm_schema_engines.model.compatibility import CompatibilityLevel, Strictness, WriterModel
from llm_schema_engines.model.validation import FormatPolicy

from ..errors import ConfigNotFound, InvalidRequest, PermissionDenied
from ..model.audit import LEVEL
from ..model.change import Change, EventType, format_revision
from ..model.config import (
    REGISTRY_SCOPE,
    Config,
    EffectiveConfig,
    LintPolicy,
    Mode,
    UndecidedPolicy,
)
from ..model.principal import Actor
from ..model.profile import ProfileFit
from ..model.quota import Quota
from ..model.subject import Subject, parse_context
from ..storage.store import ReadTx, Store, WriteTx
from .coherence import Coherence
from .profiles import Profiles, check_names

NO_QUOTA = Quota()
FIELDS = tuple(f.name for f in fields(Config))


LIMITING = "admin:config"
"""The permission without which nobody changes how much a context may hold: not even who may change its other settings."""
_MOST = 2**63 - 1
MOST_PROFILES = 20
"""Profiles that the settings of one scope may name."""


def built_in(
    level: CompatibilityLevel, lint: LintPolicy = LintPolicy.WARN, quota: Quota = NO_QUOTA
) -> EffectiveConfig:
    """What holds where nothing is configured; the level, the lint policy and the quota of a context come from the settings."""
    return EffectiveConfig(
        level=level,
        mode=Mode.READWRITE,
        strictness=Strictness.WIRE,
        writer_model=WriterModel.OPEN,
        apply_defaults=False,
        format_policy=FormatPolicy.DIALECT,
        undecided=UndecidedPolicy.REFUSE,
        default_dialect=dialect.DEFAULT.uri,
        lint=lint,
        max_subjects=quota.subjects,
        max_versions=quota.versions,
        max_bytes=quota.bytes,
        profiles=(),
        worst_fit=ProfileFit.UNKNOWN,
        coercions=(),
    )


@dataclass(frozen=True, slots=True)
class Scope:
    """The registry, one context or one subject. At most one of the two is set."""

    subject: Subject | None = None
    context: str | None = None

    @classmethod
    def parse(cls, subject: str, context: str) -> Scope:
        """The scope that a request names; raises InvalidSubject or InvalidRequest."""
        if subject and context:
            raise InvalidRequest("context", "cannot be given together with subject")
        if subject:
            return cls(subject=Subject.parse(subject))
        if context:
            return cls(context=parse_context(context))
        return cls()

    @property
    def chain(self) -> tuple[str, ...]:
        """The keys of this scope and of the wider ones, narrowest first."""
        if self.subject is not None:
            return subject_key(self.subject), f"context:{self.subject.context}", REGISTRY_SCOPE
        return (f"context:{self.context}", REGISTRY_SCOPE) if self.context else (REGISTRY_SCOPE,)

    @property
    def key(self) -> str:
        return self.chain[0]


def subject_key(subject: Subject) -> str:
    return f"subject:{subject}"


@dataclass(frozen=True, slots=True)
class ConfigView:
    """What is set in a scope, what is in force there, and the revision of a write that led to it."""

    config: Config
    effective: EffectiveConfig
    revision: str = ""


async def effective(tx: ReadTx, scope: Scope, defaults: EffectiveConfig) -> EffectiveConfig:
    """The settings in force in `scope`: the narrower scope wins, field by field."""
    return in_force({key: await tx.config(key) for key in scope.chain}, scope, defaults)


@lru_cache(maxsize=8)
def _defaults_alone(defaults: EffectiveConfig) -> EffectiveConfig:
    return replace(defaults, sources=tuple((name, "default") for name in FIELDS))


def in_force(
    configs: Mapping[str, Config | None], scope: Scope, defaults: EffectiveConfig
) -> EffectiveConfig:
    """The settings in force in `scope`, given what is set in each scope of its chain."""
    if not any(configs.values()):
        return _defaults_alone(defaults)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for key in scope.chain:
        config = configs[key]
        for name in FIELDS if config else ():
            value = getattr(config, name)
            if value is not None and name not in values:
                values[name], sources[name] = value, key
    for name in FIELDS:
        if name not in values:
            values[name], sources[name] = getattr(defaults, name), "default"
    return EffectiveConfig(**values, sources=tuple(sources.items()))


def merge(old: Config | None, new: Config) -> Config:
    """`old` with the fields that `new` sets."""
    return Config(**{n: v if (v := getattr(new, n)) is not None else getattr(old, n, None) for n in FIELDS})


class Configuration:
    """Settings that may change at run time."""

    def __init__(
        self,
        store: Store,
        defaults: EffectiveConfig,
        coherence: Coherence,
        clock: Callable[[], datetime],
        profiles: Profiles,
    ) -> None:
        self._store, self._defaults, self._coherence, self._clock = store, defaults, coherence, clock
        self._profiles = profiles

    async def get(self, scope: Scope) -> ConfigView:
        """Never fails for a scope that nothing is set for: the wider scopes decide there."""
        async with self._store.read() as tx:
            return await self._view(tx, scope)

    async def set(self, scope: Scope, config: Config, by: Actor) -> ConfigView:
        """Set the fields that `config` has; the scope's other fields stay as they are."""
        if config.empty:
            raise InvalidRequest("config", "sets nothing; give at least one field")
        if config.default_dialect is not None and config.default_dialect not in dialect.URIS.values():
            raise InvalidRequest(
                "config.default_dialect",
                f"{config.default_dialect[:100]!r} is not one of {', '.join(dialect.URIS.values())}",
            )
        if config.profiles:
            await self._check_profiles(config.profiles)
        if config.limits:
            _check_limits(scope, config, by)
        async with self._store.write() as tx:
            if scope.subject is not None:
                await tx.lock_subject(scope.subject)
            known = await tx.config(scope.key)
            await tx.set_config(scope.key, merge(known, config))
            sequence = await record_change(tx, scope, by, self._clock(), set_by(known, config))
            view = await self._view(tx, scope, format_revision(self._store.registry_id, sequence))
        self._coherence.changed(scope.subject)
        return view

    async def _check_profiles(self, profiles: Sequence[str]) -> None:
        """Raises InvalidRequest for too many, and for one that there is not."""
        field = "config.profiles.names"
        if len(profiles) > MOST_PROFILES:
            raise InvalidRequest(field, f"names {len(profiles)} profiles; the limit is {MOST_PROFILES}")
        check_names(profiles, field)
        known = await self._profiles.all()
        for place, name in enumerate(profiles):
            if name not in known:
                raise InvalidRequest(
                    f"{field}[{place}]", f"there is no profile {name!r}; there are {', '.join(known)}"
                )

    async def delete(self, scope: Scope, by: Actor) -> str:
        """Remove all settings of a scope; answers with the revision. Raises ConfigNotFound when there are none."""
        async with self._store.write() as tx:
            if scope.subject is not None:
                await tx.lock_subject(scope.subject)
            known = await tx.config(scope.key)
            if known is None:
                raise ConfigNotFound(scope.key)
            if known.limits:
                _demand_limiting(by)
            await tx.set_config(scope.key, None)
            sequence = await record_change(tx, scope, by, self._clock(), set_by(known, None))
        self._coherence.changed(scope.subject)
        return format_revision(self._store.registry_id, sequence)

    async def _view(self, tx: ReadTx, scope: Scope, revision: str = "") -> ConfigView:
        return ConfigView(
            await tx.config(scope.key) or Config(), await effective(tx, scope, self._defaults), revision
        )


def _check_limits(scope: Scope, config: Config, by: Actor) -> None:
    for name in ("max_subjects", "max_versions", "max_bytes"):
        limit = getattr(config, name)
        if limit is None:
            continue
        if scope.subject is not None:
            raise InvalidRequest(
                f"config.{name}", "is a limit of a context, or of every one (no scope), not of a subject"
            )
        if not 0 <= limit <= _MOST:
            raise InvalidRequest(f"config.{name}", "must be 0 (no limit) or greater")
    _demand_limiting(by)


def _demand_limiting(by: Actor) -> None:
    if not by.may(LIMITING):
        raise PermissionDenied(
            f"{by.name!r} lacks the permission {LIMITING!r}, which setting or removing max_subjects, max_versions and max_bytes needs",
            permission=LIMITING,
            principal=by.name,
        )


def set_by(old: Config | None, new: Config | None) -> Mapping[str, str]:
    """What the audit log says of settings that were set, or with None removed: each that is not as before. Followers of the change log
    are not told, who may not read settings."""
    found = {}
    for name in FIELDS:
        before, after = getattr(old, name, None), getattr(new, name, None)
        if after != before and (after is not None or new is None):
            found[LEVEL if name == "level" else name] = "not set" if after is None else _told(after)
    return found


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return value.name if isinstance(value, enum.Enum) else str(value)


async def record_change(tx: WriteTx, scope: Scope, by: Actor, at: datetime, noted: Mapping[str, str]) -> int:
    """Append the change that tells followers of the log of new settings; answers with its sequence. noted: see `set_by`."""
    return await tx.append_change(
        Change(
            event_type=EventType.CONFIG_UPDATED,
            subject=scope.subject,
            schema_id="",
            version="",
            ordinal=0,
            at=at,
            actor=by.name,
            correlation_id=by.correlation_id,
            metadata={"scope": scope.key},
            noted=noted,
        )
    )
