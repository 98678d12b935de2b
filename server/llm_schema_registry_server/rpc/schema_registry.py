"""The twenty handlers of SchemaRegistry: message -> values -> use case -> values -> message."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime

from google.protobuf.empty_pb2 import Empty

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..calls.call import Call
from ..calls.failure import failure
from ..calls.operation import REGISTRY, Resource
from ..calls.pipeline import AtOnce
from ..errors import InvalidRequest, RegistryError
from ..model.lifecycle import SchemaState
from ..model.principal import READ, STATISTICS
from ..model.scope import SubjectScope
from ..model.search import SearchOrder
from ..model.selector import parse_selector
from ..model.subject import Subject
from ..registry.checking import CompatibilityQuestion
from ..registry.graph import DependencyPage
from ..registry.lifecycle import Update
from ..registry.paging import token, version_key
from ..registry.reading import FoundSchema
from ..registry.registration import Registration
from ..registry.use_cases import UseCases
from ..storage.values import SchemaFilter
from . import convert
from .actors import actor, learn, named_or_learnt, touch_owner, wrote
from .batch import each, in_order
from .change_events import TOGETHER_BYTES
from .change_streams import ChangeStreams
from .large_answers import LargeAnswers
from .payloads import payload_of
from .protobuf.resources import schema, subject
from .protobuf.status import status


class SchemaRegistryService:
    """One method per RPC, named as the RPC is. Events that go out together are at most `message_bytes`, the limit of a message."""

    def __init__(
        self,
        use: UseCases,
        wire: convert.MessageConverter,
        clock: Callable[[], datetime],
        large: LargeAnswers,
        message_bytes: int = TOGETHER_BYTES,
    ) -> None:
        self._use, self._wire, self._large = use, wire, large
        self.stream_schema_changes = ChangeStreams(use, wire, clock, message_bytes).events

    async def register_schema(
        self, request: pb.RegisterSchemaRequest, call: Call
    ) -> pb.RegisterSchemaResponse:
        wanted = _registration(request)
        with convert.Refusals():
            done = await self._use.register(wanted, actor(call))
        answer = self._wire.registered(done)
        wrote(call, answer.revision)
        return answer

    async def get_schema(self, request: pb.GetSchemaRequest, call: Call) -> pb.GetSchemaResponse:
        found = await self._use.reading.by_id(
            request.schema_id, lambda version: learn(version.subject, version.schema_id, call)
        )
        return await self._handed_out(found, call)

    async def get_schema_by_version(
        self, request: pb.GetSchemaByVersionRequest, call: Call
    ) -> pb.GetSchemaResponse:
        found = await self._use.reading.by_version(
            Subject.parse(request.subject), parse_selector(request.version)
        )
        return await self._handed_out(found, call)

    async def get_latest_version(
        self, request: pb.GetLatestVersionRequest, call: Call
    ) -> pb.GetSchemaResponse:
        return await self._handed_out(await self._use.reading.latest(Subject.parse(request.subject)), call)

    async def list_schemas(
        self, request: pb.ListSchemasRequest, call: Call
    ) -> AsyncGenerator[pb.SchemaInfo, None]:
        wanted = SchemaFilter(
            subject_prefix=convert.search_text(request.subject_prefix, "subject_prefix"),
            schema_type=convert.optional_enum(SchemaType, request.schema_type, "schema_type"),
            state=convert.optional_enum(SchemaState, request.state, "state"),
            include_deleted=request.include_deleted,
            scope=_scope(call),
        )
        found = self._use.reading.scan(
            wanted, limit=request.limit, offset=request.offset, page_token=request.page_token
        )
        async with aclosing(found):
            async for item in found:
                if call.shows(subject(item.version.subject)):
                    await self._large.turn(len(item.content))
                    yield self._wire.schema(item, token(version_key(item.version)))

    async def update_schema_metadata(
        self, request: pb.UpdateSchemaMetadataRequest, call: Call
    ) -> pb.UpdateSchemaMetadataResponse:
        update = _update(request)
        await touch_owner(self._use.reading, request.schema_id, call)
        with convert.Refusals():
            found = await self._use.lifecycle.update(request.schema_id, update, actor(call))
        answer = pb.UpdateSchemaMetadataResponse(schema=self._wire.schema(found))
        wrote(call, answer.schema.revision)
        return answer

    async def delete_schema(self, request: pb.DeleteSchemaRequest, call: Call) -> Empty:
        await touch_owner(self._use.reading, request.schema_id, call)
        permanent = _permanent(request)
        wrote(call, await self._use.deletion.delete(request.schema_id, permanent=permanent, by=actor(call)))
        return Empty()

    async def list_versions(self, request: pb.ListVersionsRequest, call: Call) -> pb.ListVersionsResponse:
        page = await self._use.reading.versions(
            Subject.parse(request.subject),
            limit=request.limit,
            offset=request.offset,
            page_token=request.page_token,
            include_deleted=request.include_deleted,
        )
        return pb.ListVersionsResponse(
            versions=[str(v.version) for v in page.versions],
            total_count=page.total,
            next_page_token=page.next_token,
        )

    async def get_subject_versions(
        self, request: pb.GetSubjectVersionsRequest, call: Call
    ) -> pb.GetSubjectVersionsResponse:
        name = Subject.parse(request.subject)
        page = await self._use.reading.all_versions(
            name,
            limit=request.limit,
            page_token=request.page_token,
            include_deleted=request.include_deleted,
        )
        return pb.GetSubjectVersionsResponse(
            subject=str(name),
            versions=[convert.version_info(v) for v in page.versions],
            next_page_token=page.next_token,
        )

    async def list_subjects(self, request: pb.ListSubjectsRequest, call: Call) -> pb.ListSubjectsResponse:
        page = await self._use.reading.subjects(
            convert.search_text(request.prefix, "prefix"),
            limit=request.limit,
            offset=request.offset,
            page_token=request.page_token,
            include_deleted=request.include_deleted,
            scope=_scope(call),
        )
        return pb.ListSubjectsResponse(
            subjects=[str(s) for s in page.subjects],
            total_count=page.total,
            next_page_token=page.next_token,
        )

    async def search_schemas(self, request: pb.SearchSchemasRequest, call: Call) -> pb.SearchSchemasResponse:
        wanted = SchemaFilter(
            text=request.query.replace("\0", " "),  # it parts words, as anything does that is in none
            subject_pattern=convert.search_text(request.subject_pattern, "subject_pattern"),
            schema_type=convert.optional_enum(SchemaType, request.schema_type, "schema_type"),
            tags=tuple(request.tags),
            metadata=dict(request.metadata_filters),
            latest_only=request.latest_only,
            scope=_scope(call),
        )
        page = await self._use.reading.search(
            wanted,
            limit=request.limit,
            offset=request.offset,
            page_token=request.page_token,
            order=convert.optional_enum(SearchOrder, request.order_by, "order_by") or SearchOrder.RELEVANCE,
        )
        if wanted.scope.everything and not page.dated:
            call.touch(REGISTRY)
        await self._large.turn(sum(len(found.content) for found in page.items))
        answer = pb.SearchSchemasResponse(
            total_count=page.total, next_page_token=page.next_token, did_you_mean=page.did_you_mean
        )
        for found in page.items:
            self._wire.add_schema(answer.schemas, found)
        return answer

    async def validate_data(self, request: pb.ValidateDataRequest, call: Call) -> pb.ValidationReport:
        began = time.perf_counter()
        verdict = await self._use.validating.data(
            payload_of(request, request.data),
            lambda version: named_or_learnt(version, request.schema_id, call),
        )
        return convert.data_report(verdict, (time.perf_counter() - began) * 1000)

    def validate_data_at_once(self, request: pb.ValidateDataRequest) -> AtOnce | None:
        """ValidateData where the version is compiled already and the payload is cheap to judge."""
        validating = self._use.validating
        try:
            payload = payload_of(request, request.data)
        except RegistryError:
            return None
        compiled = validating.compiled(payload)
        if compiled is None:
            return None

        def compute() -> pb.ValidationReport | None:
            began = time.perf_counter()
            verdict = validating.judge_at_once(compiled, payload)
            if verdict is None:
                return None
            return convert.data_report(verdict, (time.perf_counter() - began) * 1000)

        touched: tuple[Resource, ...] = (subject(compiled.version.subject),)
        if payload.schema_id:
            touched = (schema(payload.schema_id), *touched)
        return AtOnce(touched, 1, compute)

    async def validate_schema(
        self, request: pb.ValidateSchemaRequest, call: Call
    ) -> pb.SchemaValidationReport:
        report = await self._use.validating.schema(
            convert.enum(SchemaType, request.schema_type, "schema_type"),
            request.schema_content,
            convert.references(request.references),
            call.rights.where(READ),
        )
        return convert.schema_report(report)

    async def batch_validate(
        self, requests: AsyncIterator[pb.ValidateDataRequest | RegistryError], call: Call
    ) -> AsyncGenerator[pb.ValidationReport, None]:
        async def answer(request: pb.ValidateDataRequest) -> pb.ValidationReport:
            await call.each_request()
            call.touches(request)
            return await self.validate_data(request, call)

        def refused(request: pb.ValidateDataRequest | None, error: Exception) -> pb.ValidationReport:
            asked, failed = request or pb.ValidateDataRequest(), failure(error, call.request_id)
            return pb.ValidationReport(
                valid=False,
                schema_id=asked.schema_id,
                subject=asked.subject,
                version=asked.version,
                error=status(failed),
                errors=[pb.ValidationError(message=failed.message, error_type=failed.reason)],
            )

        async with aclosing(in_order(requests, each(answer, refused))) as reports:
            index = 0
            async for report in reports:
                report.index = index
                yield report
                index += 1

    async def check_compatibility(
        self, request: pb.CompatibilityCheckRequest, call: Call
    ) -> pb.CompatibilityReport:
        asked = question(request, call.rights.where(READ))
        return convert.report((await self._use.checking(asked)).report)

    async def batch_check_compatibility(
        self, requests: AsyncIterator[pb.CompatibilityCheckRequest | RegistryError], call: Call
    ) -> AsyncGenerator[pb.CompatibilityReport, None]:
        async def answer(request: pb.CompatibilityCheckRequest) -> pb.CompatibilityReport:
            await call.each_request()
            call.touches(request)
            return await self.check_compatibility(request, call)

        def refused(request: pb.CompatibilityCheckRequest | None, error: Exception) -> pb.CompatibilityReport:
            failed = failure(error, call.request_id)
            return pb.CompatibilityReport(compatible=False, message=failed.message, error=status(failed))

        async with aclosing(in_order(requests, each(answer, refused))) as reports:
            index = 0
            async for report in reports:
                report.index = index
                yield report
                index += 1

    async def get_dependencies(
        self, request: pb.GetDependenciesRequest, call: Call
    ) -> pb.DependenciesResponse:
        await touch_owner(self._use.reading, request.schema_id, call)
        found = await self._use.graph.dependencies(
            request.schema_id,
            transitive=request.transitive,
            limit=request.limit,
            page_token=request.page_token,
            readable=_scope(call),
        )
        return _named(found, call)

    async def get_dependents(self, request: pb.GetDependentsRequest, call: Call) -> pb.DependenciesResponse:
        await touch_owner(self._use.reading, request.schema_id, call)
        found = await self._use.graph.dependents(
            request.schema_id,
            transitive=request.transitive,
            limit=request.limit,
            page_token=request.page_token,
            readable=_scope(call),
        )
        return _named(found, call)

    async def health_check(self, request: Empty, call: Call) -> pb.HealthCheckResponse:
        # Everybody may ask whether it works; how much it holds only those who may see the statistics.
        return convert.health(await self._use.health(), details=call.rights.may(STATISTICS))

    async def _handed_out(self, found: FoundSchema, call: Call) -> pb.GetSchemaResponse:
        """The answer with one version, which counts as a read of it."""
        version = found.version
        call.touch(schema(version.schema_id))
        call.touch(subject(version.subject))
        call.schema_id = version.schema_id
        await self._large.turn(len(found.content))
        return pb.GetSchemaResponse(schema=self._wire.schema(found))


def _scope(call: Call) -> SubjectScope:
    """The subjects that a list may tell its caller of."""
    return call.rights.where(call.operation.permission)


def _named(found: DependencyPage, call: Call) -> pb.DependenciesResponse:
    """The answer with these versions, whose subjects the call touches."""
    for name in dict.fromkeys(d.version.subject for d in found.items):
        call.touch(subject(name))
    return convert.dependencies(found)


def _registration(request: pb.RegisterSchemaRequest) -> Registration:
    if request.auto_version and request.version:
        raise InvalidRequest("version", "cannot be given together with auto_version")
    return Registration(
        subject=Subject.parse(request.subject),
        schema_type=convert.enum(SchemaType, request.schema_type, "schema_type"),
        content=request.schema_content,
        references=convert.references(request.references),
        level=convert.optional_enum(CompatibilityLevel, request.compatibility_level, "compatibility_level"),
        version=convert.wanted_version(request.version),
        description=request.description if request.HasField("description") else None,
        tags=tuple(request.tags),
        metadata=dict(request.metadata),
        activate=request.auto_activate if request.HasField("auto_activate") else True,
        normalize=request.normalize,
        dry_run=request.dry_run,
        as_draft=request.as_draft,
    )


def _permanent(request: pb.DeleteSchemaRequest) -> bool:
    """Soft unless `permanent` is asked for. `soft_delete` cannot ask for it: its false cannot be told from absent."""
    if request.permanent and request.soft_delete:
        raise InvalidRequest("soft_delete", "cannot be true together with permanent")
    return request.permanent


def _update(request: pb.UpdateSchemaMetadataRequest) -> Update:
    for flag, field in ((request.clear_tags, "tags"), (request.clear_metadata, "metadata")):
        if flag and len(getattr(request, field)):
            raise InvalidRequest(field, f"cannot be given together with clear_{field}")
    return Update(
        description=request.description if request.HasField("description") else None,
        tags=tuple(request.tags) if request.tags or request.clear_tags else None,
        metadata=dict(request.metadata) if request.metadata or request.clear_metadata else None,
        state=convert.optional_enum(SchemaState, request.state, "state"),
        reason=request.reason,
    )


def question(request: pb.CompatibilityCheckRequest, readable: SubjectScope) -> CompatibilityQuestion:
    return CompatibilityQuestion(
        subject=Subject.parse(request.subject),
        content=request.new_schema,
        level=convert.optional_enum(CompatibilityLevel, request.level, "level"),
        compare_version=(
            parse_selector(request.compare_version, "compare_version")
            if request.HasField("compare_version")
            else None
        ),
        references=convert.references(request.references),
        schema_type=convert.optional_enum(SchemaType, request.schema_type, "schema_type"),
        readable=readable,
    )
