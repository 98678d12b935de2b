"""ConfigService's messages <-> model values."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, TypeVar

from llm_schema_engines.answers.coercion import Coercion
from llm_schema_engines.model.compatibility import CompatibilityLevel, Strictness, WriterModel
from llm_schema_engines.model.validation import FormatPolicy
from llm_schema_registry.v1 import answers_pb2 as answers_pb
from llm_schema_registry.v1 import config_pb2 as pb
from llm_schema_registry.v1 import providers_pb2 as providers_pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb

from ..errors import InvalidRequest
from ..model.config import (
    Config,
    EffectiveConfig,
    LintPolicy,
    Mode,
    UndecidedPolicy,
)
from ..model.profile import ProfileFit
from ..registry.configuration import ConfigView
from .convert import enum as number_enum

T = TypeVar("T", bound=enum.StrEnum)


def _named(kind: type[T], wire: Any, prefix: str, number: int, field: str) -> T:
    """Enums of the model that are spelt as on the wire, after the wire's prefix. `wire` is the generated wrapper."""
    if number not in wire.values() or number == 0:
        names = ", ".join(m.name for m in kind)
        raise InvalidRequest(field, f"{number} is not one of {names}")
    return kind(wire.Name(number).removeprefix(prefix))


def config(c: pb.Config) -> Config:
    """The settings that a request gives; raises InvalidRequest for unknown numbers."""
    has = c.HasField
    return Config(
        level=(
            number_enum(CompatibilityLevel, c.compatibility_level, "config.compatibility_level")
            if has("compatibility_level")
            else None
        ),
        mode=_named(Mode, pb.Mode, "MODE_", c.mode, "config.mode") if has("mode") else None,
        strictness=(
            _named(Strictness, pb.Strictness, "STRICTNESS_", c.strictness, "config.strictness")
            if has("strictness")
            else None
        ),
        writer_model=(
            _named(WriterModel, pb.WriterModel, "WRITER_MODEL_", c.writer_model, "config.writer_model")
            if has("writer_model")
            else None
        ),
        apply_defaults=c.apply_defaults if has("apply_defaults") else None,
        format_policy=(
            _named(FormatPolicy, pb.FormatPolicy, "FORMAT_POLICY_", c.format_policy, "config.format_policy")
            if has("format_policy")
            else None
        ),
        undecided=(
            _named(UndecidedPolicy, pb.UndecidedPolicy, "UNDECIDED_POLICY_", c.undecided, "config.undecided")
            if has("undecided")
            else None
        ),
        default_dialect=c.default_dialect if has("default_dialect") else None,
        lint=_named(LintPolicy, pb.LintPolicy, "LINT_POLICY_", c.lint, "config.lint")
        if has("lint")
        else None,
        max_subjects=c.max_subjects if has("max_subjects") else None,
        max_versions=c.max_versions if has("max_versions") else None,
        max_bytes=c.max_bytes if has("max_bytes") else None,
        profiles=tuple(dict.fromkeys(c.profiles.names)) if has("profiles") else None,
        worst_fit=number_enum(ProfileFit, c.worst_fit, "config.worst_fit") if has("worst_fit") else None,
        coercions=_coercions(c.coercions.kinds) if has("coercions") else None,
    )


def message(c: Config | EffectiveConfig) -> pb.Config:
    """The settings as a message; what is None stays absent."""
    return pb.Config(
        compatibility_level=registry_pb.CompatibilityLevel.ValueType(c.level) if c.level else None,
        mode=pb.Mode.Value(f"MODE_{c.mode}") if c.mode else None,
        strictness=pb.Strictness.Value(f"STRICTNESS_{c.strictness}") if c.strictness else None,
        writer_model=pb.WriterModel.Value(f"WRITER_MODEL_{c.writer_model}") if c.writer_model else None,
        apply_defaults=c.apply_defaults,
        format_policy=pb.FormatPolicy.Value(f"FORMAT_POLICY_{c.format_policy}") if c.format_policy else None,
        undecided=pb.UndecidedPolicy.Value(f"UNDECIDED_POLICY_{c.undecided}") if c.undecided else None,
        default_dialect=c.default_dialect,
        lint=pb.LintPolicy.Value(f"LINT_POLICY_{c.lint}") if c.lint else None,
        max_subjects=c.max_subjects,
        max_versions=c.max_versions,
        max_bytes=c.max_bytes,
        profiles=None if c.profiles is None else pb.ProfileNames(names=c.profiles),
        worst_fit=providers_pb.ProfileFit.ValueType(c.worst_fit) if c.worst_fit else None,
        coercions=None if c.coercions is None else _policy(c.coercions),
    )


def _coercions(kinds: Iterable[int]) -> tuple[str, ...]:
    named = [
        number_enum(Coercion, kind, f"config.coercions.kinds[{place}]") for place, kind in enumerate(kinds)
    ]
    return tuple(kind.name for kind in sorted(set(named)))


def _policy(names: Iterable[str]) -> pb.CoercionPolicy:
    return pb.CoercionPolicy(kinds=[answers_pb.Coercion.ValueType(Coercion[name]) for name in names])


def sources(view: ConfigView) -> dict[str, str]:
    """Field name of the message -> the scope that decided it."""
    wire_names = {"level": "compatibility_level"}
    return {wire_names.get(name, name): scope for name, scope in view.effective.sources}
