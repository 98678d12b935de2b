"""Calls that keep and find schemas.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.empty_pb2 import Empty

from .. import _decode
from .._arguments import identifier, selector, text_map, texts
from .._call import LIFECYCLE, REGISTRY, Listing, Rpc, Unary, unary
from .._checked import checked
from .._encode import Content, Reference, SchemaId, content_bytes, number, reference_messages
from ..enums import (
    CompatibilityLevel,
    SchemaState,
    SchemaType,
    SearchOrder,
)
from ..results import (
    Dependency,
    Items,
    Page,
    Registration,
    SchemaInfo,
    StateTransition,
)
from ..v1 import lifecycle_pb2
from ..v1 import schema_registry_pb2 as pb


@checked
def register_schema(
    subject: str,
    content: Content,
    schema_type: SchemaType | str = SchemaType.JSON,
    *,
    references: Iterable[Reference] = (),
    description: str | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    compatibility_level: CompatibilityLevel | str | None = None,
    version: str = "",
    auto_activate: bool | None = None,
    normalize: bool = False,
    dry_run: bool = False,
    as_draft: bool = False,
    timeout: float | None = None,
) -> Unary[Registration]:
    """Register a schema as the next version of a subject, or find the version that has this content already; a draft or a
    version that is only REGISTERED becomes ACTIVE then, after the check.

    `content` is text or bytes as they are, a path to a file, a JSON value, or a pydantic model class. `references` are
    `SchemaReference`s, (name, subject, version) tuples or dicts with these keys.

    `compatibility_level` becomes the level of the subject, also of one that is there if the caller may configure it (the version
    is checked at that level); others get LevelMismatch. `version` is
    derived from the comparison when "". `auto_activate` False asks for REGISTERED instead of ACTIVE. `normalize` also takes a
    version that differs in white space only as the same. `dry_run` does all but store. `as_draft` stores a DRAFT
    without checking. The answer's `warnings` are what the quick lint rules find.
    Raises IncompatibleSchema (with `report`), InvalidSchema and LintRefused (with `issues`), ReferenceNotFound, and
    TransitionRefused for the content of a version that is being rolled back.
    """
    request = pb.RegisterSchemaRequest(
        subject=subject,
        schema_content=content_bytes(content),
        schema_type=number(SchemaType, schema_type, "schema_type"),
        metadata=text_map(metadata, "metadata"),
        description=description,
        tags=texts(tags, "tags"),
        auto_version=not version,
        references=reference_messages(references),
        version=version,
        auto_activate=auto_activate,
        normalize=normalize,
        dry_run=dry_run,
        as_draft=as_draft,
        compatibility_level=number(CompatibilityLevel, compatibility_level, "compatibility_level"),
    )
    return unary(
        REGISTRY + "RegisterSchema", pb.RegisterSchemaResponse, _decode.registration, request, timeout
    )


@checked
def get_schema(schema_id: SchemaId, *, timeout: float | None = None) -> Unary[SchemaInfo]:
    """The version with this id, live or softly deleted. Raises SchemaNotFound."""
    request = pb.GetSchemaRequest(schema_id=identifier(schema_id))
    return unary(REGISTRY + "GetSchema", pb.GetSchemaResponse, _decode.schema_of, request, timeout)


@checked
def get_schema_by_version(
    subject: str, version: str | int = "latest", *, timeout: float | None = None
) -> Unary[SchemaInfo]:
    """The version that a selector chooses: `latest`, an ordinal, a semantic version or a range such as `^1.2`.

    Raises SubjectNotFound, VersionNotFound, InvalidVersion.
    """
    request = pb.GetSchemaByVersionRequest(subject=subject, version=selector(version))
    return unary(REGISTRY + "GetSchemaByVersion", pb.GetSchemaResponse, _decode.schema_of, request, timeout)


@checked
def get_latest_version(subject: str, *, timeout: float | None = None) -> Unary[SchemaInfo]:
    """The newest live version in ACTIVE or DEPRECATED. Raises SubjectNotFound, VersionNotFound."""
    request = pb.GetLatestVersionRequest(subject=subject)
    return unary(REGISTRY + "GetLatestVersion", pb.GetSchemaResponse, _decode.schema_of, request, timeout)


@checked
def list_schemas(
    *,
    subject_prefix: str | None = None,
    schema_type: SchemaType | str | None = None,
    state: SchemaState | str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    page_token: str = "",
    include_deleted: bool = False,
    timeout: float | None = None,
) -> Listing[SchemaInfo]:
    """The versions that pass the filters, by subject and ordinal, all of them unless `limit` is given.

    `timeout` is the longest wait for the next item. A stream that breaks goes on after the last item received.
    """
    request = pb.ListSchemasRequest(
        subject_prefix=subject_prefix,
        schema_type=number(SchemaType, schema_type, "schema_type"),
        state=number(SchemaState, state, "state"),
        limit=limit,
        offset=offset,
        page_token=page_token,
        include_deleted=include_deleted,
    )
    return Listing(Rpc(REGISTRY + "ListSchemas", pb.SchemaInfo), request, _decode.schema_info, timeout)


@checked
def update_schema_metadata(
    schema_id: SchemaId,
    *,
    description: str | None = None,
    tags: Iterable[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    state: SchemaState | str | None = None,
    reason: str = "",
    timeout: float | None = None,
) -> Unary[SchemaInfo]:
    """Change what may change about a version: None leaves a field alone, an empty collection empties it.

    `state` moves the version along a transition, recorded with `reason`. Raises TransitionRefused, SchemaNotFound.
    """
    given_tags = None if tags is None else texts(tags, "tags")
    request = pb.UpdateSchemaMetadataRequest(
        schema_id=identifier(schema_id),
        description=description,
        tags=given_tags,
        metadata=text_map(metadata, "metadata"),
        state=number(SchemaState, state, "state"),
        reason=reason,
        clear_tags=given_tags is not None and not given_tags,
        clear_metadata=metadata is not None and not metadata,
    )
    return unary(
        REGISTRY + "UpdateSchemaMetadata",
        pb.UpdateSchemaMetadataResponse,
        _decode.schema_of,
        request,
        timeout,
        repeatable=state is None,  # only a transition cannot be made twice
    )


@checked
def delete_schema(
    schema_id: SchemaId, *, permanent: bool = False, timeout: float | None = None
) -> Unary[None]:
    """Delete a version softly (`undelete_schema` undoes it), or with `permanent` for ever: only after a soft delete, and only
    without dependents.

    Raises SchemaNotFound, NotSoftDeleted, HasDependents.
    """
    # A server that does not know `permanent` yet deletes for ever unless it is told `soft_delete`.
    how = {"permanent": True} if permanent else {"soft_delete": True}
    request = pb.DeleteSchemaRequest(schema_id=identifier(schema_id), **how)
    return unary(REGISTRY + "DeleteSchema", Empty, _decode.nothing, request, timeout)


@checked
def undelete_schema(schema_id: SchemaId, *, timeout: float | None = None) -> Unary[SchemaInfo]:
    """Bring a softly deleted version back, with the same ids and version. Raises SchemaNotFound."""
    request = lifecycle_pb2.UndeleteSchemaRequest(schema_id=identifier(schema_id))
    return unary(
        LIFECYCLE + "UndeleteSchema",
        lifecycle_pb2.UndeleteSchemaResponse,
        _decode.schema_of,
        request,
        timeout,
    )


@checked
def get_schema_history(
    schema_id: SchemaId,
    *,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Items[StateTransition]]:
    """The recorded transitions of a version, oldest first.

    All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SchemaNotFound; also
    LimitExceeded when all of them are too much for one answer.
    """
    request = lifecycle_pb2.GetSchemaHistoryRequest(
        schema_id=identifier(schema_id), limit=limit, page_token=page_token
    )
    return unary(
        LIFECYCLE + "GetSchemaHistory",
        lifecycle_pb2.GetSchemaHistoryResponse,
        _decode.history,
        request,
        timeout,
    )


@checked
def search_schemas(
    query: str | None = None,
    *,
    subject_pattern: str | None = None,
    schema_type: SchemaType | str | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    latest_only: bool = False,
    order_by: SearchOrder | str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Page[SchemaInfo]]:
    """One page of the versions that match: every word of `query` begins a word of subject, description, tags,
    metadata or field names; `subject_pattern` knows `*` and `?`; all `tags` and `metadata` pairs are present.
    The best answers come first, or all by subject and ordinal with `order_by="name"` or without a query.
    """
    request = pb.SearchSchemasRequest(
        query=query,
        subject_pattern=subject_pattern,
        schema_type=number(SchemaType, schema_type, "schema_type"),
        tags=texts(tags, "tags"),
        metadata_filters=text_map(metadata, "metadata"),
        limit=limit,
        offset=offset,
        page_token=page_token,
        latest_only=latest_only,
        order_by=number(SearchOrder, order_by, "order_by"),
    )
    return unary(REGISTRY + "SearchSchemas", pb.SearchSchemasResponse, _decode.search_page, request, timeout)


@checked
def get_dependencies(
    schema_id: SchemaId,
    *,
    transitive: bool = False,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Items[Dependency]]:
    """What a version uses, directly or at any depth, nearest first.

    All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SchemaNotFound; also
    LimitExceeded when all of them are too much for one answer.
    """
    request = pb.GetDependenciesRequest(
        schema_id=identifier(schema_id), transitive=transitive, limit=limit, page_token=page_token
    )
    return unary(
        REGISTRY + "GetDependencies", pb.DependenciesResponse, _decode.dependencies, request, timeout
    )


@checked
def get_dependents(
    schema_id: SchemaId,
    *,
    transitive: bool = False,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Items[Dependency]]:
    """What uses a version, directly or at any depth, nearest first.

    All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SchemaNotFound; also
    LimitExceeded when all of them are too much for one answer.
    """
    request = pb.GetDependentsRequest(
        schema_id=identifier(schema_id), transitive=transitive, limit=limit, page_token=page_token
    )
    return unary(REGISTRY + "GetDependents", pb.DependenciesResponse, _decode.dependencies, request, timeout)
