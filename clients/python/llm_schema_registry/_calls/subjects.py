"""Calls about subjects, their settings, and the server itself.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.empty_pb2 import Empty

from .. import _decode
from .._arguments import texts
from .._call import CONFIG, LIFECYCLE, REGISTRY, Unary, unary
from .._checked import checked
from .._encode import number, numbers
from ..enums import (
    Coercion,
    CompatibilityLevel,
    FormatPolicy,
    LintPolicy,
    Mode,
    ProfileFit,
    Strictness,
    UndecidedPolicy,
    WriterModel,
)
from ..results import (
    ConfigView,
    Health,
    Items,
    Page,
    VersionInfo,
)
from ..v1 import config_pb2, lifecycle_pb2
from ..v1 import schema_registry_pb2 as pb


@checked
def list_subjects(
    *,
    prefix: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    page_token: str = "",
    include_deleted: bool = False,
    timeout: float | None = None,
) -> Unary[Page[str]]:
    """One page of the subjects with at least one live version, by name."""
    request = pb.ListSubjectsRequest(
        prefix=prefix, limit=limit, offset=offset, page_token=page_token, include_deleted=include_deleted
    )
    return unary(REGISTRY + "ListSubjects", pb.ListSubjectsResponse, _decode.subjects_page, request, timeout)


@checked
def list_versions(
    subject: str,
    *,
    limit: int | None = None,
    offset: int | None = None,
    page_token: str = "",
    include_deleted: bool = False,
    timeout: float | None = None,
) -> Unary[Page[str]]:
    """One page of the semantic versions of a subject, oldest first. Raises SubjectNotFound."""
    request = pb.ListVersionsRequest(
        subject=subject,
        limit=limit,
        offset=offset,
        page_token=page_token,
        include_deleted=include_deleted,
    )
    return unary(REGISTRY + "ListVersions", pb.ListVersionsResponse, _decode.versions_page, request, timeout)


@checked
def get_subject_versions(
    subject: str,
    *,
    include_deleted: bool = False,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Items[VersionInfo]]:
    """The live versions of a subject with their ids and states, oldest first.

    All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SubjectNotFound; also
    LimitExceeded when all of them are too much for one answer.
    """
    request = pb.GetSubjectVersionsRequest(
        subject=subject, include_deleted=include_deleted, limit=limit, page_token=page_token
    )
    return unary(
        REGISTRY + "GetSubjectVersions",
        pb.GetSubjectVersionsResponse,
        _decode.subject_versions,
        request,
        timeout,
    )


@checked
def delete_subject(
    subject: str, *, permanent: bool = False, timeout: float | None = None
) -> Unary[tuple[str, ...]]:
    """Delete every version of a subject: softly the live ones, all or none, or for ever the softly deleted ones.

    What an interruption of the latter leaves is softly deleted, and a repetition removes it.

    The versions that were deleted, oldest first. Raises SubjectNotFound, HasDependents.
    """
    request = lifecycle_pb2.DeleteSubjectRequest(subject=subject, permanent=permanent)
    return unary(
        LIFECYCLE + "DeleteSubject",
        lifecycle_pb2.DeleteSubjectResponse,
        _decode.deleted_versions,
        request,
        timeout,
    )


@checked
def get_config(subject: str = "", *, context: str = "", timeout: float | None = None) -> Unary[ConfigView]:
    """The settings of a subject, of a context such as ".staging", or (neither given) of the registry."""
    request = config_pb2.GetConfigRequest(subject=subject, context=context)
    return unary(CONFIG + "GetConfig", config_pb2.GetConfigResponse, _decode.config_view, request, timeout)


@checked
def set_config(
    subject: str = "",
    *,
    context: str = "",
    compatibility_level: CompatibilityLevel | str | None = None,
    mode: Mode | str | None = None,
    strictness: Strictness | str | None = None,
    writer_model: WriterModel | str | None = None,
    apply_defaults: bool | None = None,
    format_policy: FormatPolicy | str | None = None,
    undecided: UndecidedPolicy | str | None = None,
    default_dialect: str | None = None,
    lint: LintPolicy | str | None = None,
    max_subjects: int | None = None,
    max_versions: int | None = None,
    max_bytes: int | None = None,
    profiles: Iterable[str] | None = None,
    worst_fit: ProfileFit | str | None = None,
    coercions: Iterable[Coercion | str] | None = None,
    timeout: float | None = None,
) -> Unary[ConfigView]:
    """Set the given settings of a scope and leave its others alone. max_subjects, max_versions, max_bytes: of a context, or of each
    one; 0 for no limit. profiles: of the providers that a JSON Schema must fit no worse than `worst_fit`. coercions: what
    `coerce_answer` corrects when it names no kinds. An empty list of either takes back what a wider scope says."""
    config = config_pb2.Config(
        compatibility_level=number(CompatibilityLevel, compatibility_level, "compatibility_level"),
        mode=number(Mode, mode, "mode"),
        strictness=number(Strictness, strictness, "strictness"),
        writer_model=number(WriterModel, writer_model, "writer_model"),
        apply_defaults=apply_defaults,
        format_policy=number(FormatPolicy, format_policy, "format_policy"),
        undecided=number(UndecidedPolicy, undecided, "undecided"),
        default_dialect=default_dialect,
        lint=number(LintPolicy, lint, "lint"),
        max_subjects=max_subjects,
        max_versions=max_versions,
        max_bytes=max_bytes,
        profiles=None if profiles is None else config_pb2.ProfileNames(names=texts(profiles, "profiles")),
        worst_fit=number(ProfileFit, worst_fit, "worst_fit"),
        coercions=None
        if coercions is None
        else config_pb2.CoercionPolicy(kinds=numbers(Coercion, coercions, "coercions")),
    )
    request = config_pb2.SetConfigRequest(subject=subject, context=context, config=config)
    return unary(CONFIG + "SetConfig", config_pb2.SetConfigResponse, _decode.config_set, request, timeout)


@checked
def delete_config(subject: str = "", *, context: str = "", timeout: float | None = None) -> Unary[None]:
    """Remove all settings of a scope: the wider scope counts again."""
    request = config_pb2.DeleteConfigRequest(subject=subject, context=context)
    return unary(CONFIG + "DeleteConfig", Empty, _decode.nothing, request, timeout)


@checked
def health_check(*, timeout: float | None = None) -> Unary[Health]:
    """How the server and its parts are."""
    return unary(REGISTRY + "HealthCheck", pb.HealthCheckResponse, _decode.health, Empty(), timeout)
