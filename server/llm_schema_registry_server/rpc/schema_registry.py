"""The twenty handlers of SchemaRegistry: message -> values -> use case -> values -> message."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..calls.call import Call
from ..calls.failure import failure
from ..calls.operation import REGISTRY, Resource, ResourceKind
from ..calls.pipeline import AtOnce
from ..errors import InvalidRequest, RegistryError
from ..model.change import Change, EventType
from ..model.lifecycle import SchemaState
from ..model.principal import READ, STATISTICS
from ..model.pushed import Pushed
from ..model.scope import SubjectScope
from ..model.search import SearchOrder
from ..model.selector import parse_selector
from ..model.subject import Subject
from ..registry.checking import CompatibilityQuestion
from ..registry.gathering import PushTogether, Together
from ..registry.graph import DependencyPage
from ..registry.lifecycle import Update
from ..registry.paging import token, version_key
from ..registry.reading import FoundSchema
from ..registry.registration import Registration
from ..registry.subscribers import Push
from ..registry.subscribing import MOST_KINDS, Heartbeat
from ..registry.use_cases import UseCases
from ..storage.values import SchemaFilter
from . import convert
from .actors import actor, learn, named_or_learnt, touch_owner, wrote
from .batch import each, in_order
from .change_events import TOGETHER_BYTES, ChangeEvent, ChangeEvents, EventsTogether
from .payloads import payload_of
from .protobuf.resources import schema, subject
from .protobuf.shared_answer import SharedAnswer
from .protobuf.status import status


class SchemaRegistryService:
    """One method per RPC, named as the RPC is. Events that go out together are at most `message_bytes`, the limit of a message."""

    def __init__(
        self,
        use: UseCases,
        wire: convert.MessageConverter,
        clock: Callable[[], datetime],
        message_bytes: int = TOGETHER_BYTES,
    ) -> None:
        self._use, self._wire, self._clock = use, wire, clock
        self._events = ChangeEvents(wire, use.reading)
        self._together = EventsTogether(self._events, min(TOGETHER_BYTES, message_bytes))

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
        return self._handed_out(found, call)

    async def get_schema_by_version(
        self, request: pb.GetSchemaByVersionRequest, call: Call
    ) -> pb.GetSchemaResponse:
        found = await self._use.reading.by_version(
            Subject.parse(request.subject), parse_selector(request.version)
        )
        return self._handed_out(found, call)

    async def get_latest_version(
        self, request: pb.GetLatestVersionRequest, call: Call
    ) -> pb.GetSchemaResponse:
        return self._handed_out(await self._use.reading.latest(Subject.parse(request.subject)), call)

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
        return pb.SearchSchemasResponse(
            schemas=[self._wire.schema(f) for f in page.items],
            total_count=page.total,
            next_page_token=page.next_token,
            did_you_mean=page.did_you_mean,
        )

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

    async def stream_schema_changes(
        self, request: pb.StreamRequest, call: Call
    ) -> AsyncGenerator[pb.SchemaChangeEvent | SharedAnswer, None]:
        interest = self._use.subscribing.filter(request.subjects, _kinds(request))
        heartbeat = _seconds(request.heartbeat_interval) if request.HasField("heartbeat_interval") else None
        gather = self._use.subscribing.gather(_seconds(request.gather)) or (0.0 if call.joins else None)
        with_schema, listening = request.include_schema, False
        changes: AsyncGenerator[Change | Together | Heartbeat, None]
        if gather is None:
            push = None if call.push is None else self._pushing(call, call.push, with_schema)
            changes = self._use.subscribing(interest, request.from_revision, heartbeat, push)
        else:
            pushes = None if call.push is None else self._pushing_together(call, call.push, with_schema)
            changes = self._use.subscribing.together(
                interest, request.from_revision, heartbeat, gather, pushes
            )
        async with aclosing(changes):
            async for change in changes:
                if isinstance(change, Heartbeat):
                    beat = self._wire.heartbeat(change.sequence, self._clock())
                    if not listening:
                        listening = True
                        call.resume_revision = beat.revision
                        await call.ready()
                    if heartbeat is None:
                        continue
                    yield beat
                    call.resume_revision = beat.revision
                elif isinstance(change, tuple):
                    async with aclosing(self._told_together(call, change, with_schema)) as messages:
                        async for event in messages:
                            yield event
                            call.resume_revision = event.revision
                elif call.shows(_told_of(change)):
                    events = self._events
                    event = await events.event_with_schema(change) if with_schema else events.event(change)
                    yield event
                    call.resume_revision = event.revision  # the wire has taken it

    async def _told_together(
        self, call: Call, changes: Together, with_schema: bool
    ) -> AsyncGenerator[ChangeEvent, None]:
        """The messages of these changes. Raises what a guard raises, after those of the changes before."""
        shown, refusal = [], None
        for change in changes:
            try:
                if call.shows(_told_of(change)):
                    shown.append(change)
            except RegistryError as error:
                refusal = error
                break
        rest = tuple(shown)
        while rest:
            together = self._together
            event, count = (
                await together.message_with_schemas(rest) if with_schema else together.message(rest)
            )
            yield event
            rest = rest[count:]
        if refusal is not None:
            raise refusal

    def _pushing_together(
        self, call: Call, push: Callable[[SharedAnswer], Pushed], with_schema: bool
    ) -> PushTogether:
        """What sends the first message of several changes at once, but for those that guards leave out."""
        sent = Pushed.SENT
        message_of = self._together.ready_with_schemas if with_schema else self._together.message

        def send(changes: Together) -> tuple[Pushed, int]:  # runs for each of thousands of subscribers
            shown = changes
            if call.watchers or call.selectors:
                try:
                    seen = tuple(change for change in changes if call.shows(_told_of(change)))
                except RegistryError:
                    return Pushed.UNFIT, 0
                if not seen:
                    return Pushed.NOTHING, len(changes)
                shown = changes if len(seen) == len(changes) else seen
            found = message_of(shown)
            if found is None:
                return Pushed.NOT_YET, 0
            event, count = found
            pushed = push(event)
            if pushed is not sent:
                return pushed, 0
            call.resume_revision = event.revision
            return pushed, len(changes) if count == len(shown) else changes.index(shown[count - 1]) + 1

        return send

    def _pushing(self, call: Call, push: Callable[[SharedAnswer], Pushed], with_schema: bool) -> Push:
        """What sends the event of a change at once, unless guards leave it out."""
        events, sent = self._events, Pushed.SENT
        event_of = events.ready_with_schema if with_schema else events.event

        def send(change: Change) -> Pushed:  # runs for each of thousands of subscribers
            if call.watchers or call.selectors:
                try:
                    if not call.shows(_told_of(change)):
                        return Pushed.NOTHING
                except RegistryError:
                    return Pushed.UNFIT
            latest = events.latest
            if latest is not None and latest[0] is change and not with_schema:
                event: ChangeEvent | None = latest[1]
            else:
                event = event_of(change)
            if event is None:
                return Pushed.NOT_YET
            pushed = push(event)
            if pushed is sent:
                call.resume_revision = event.revision
            return pushed

        return send

    async def health_check(self, request: Empty, call: Call) -> pb.HealthCheckResponse:
        # Everybody may ask whether it works; how much it holds only those who may see the statistics.
        return convert.health(await self._use.health(), details=call.rights.may(STATISTICS))

    def _handed_out(self, found: FoundSchema, call: Call) -> pb.GetSchemaResponse:
        """The answer with one version, which counts as a read of it."""
        version = found.version
        call.touch(schema(version.schema_id))
        call.touch(subject(version.subject))
        call.schema_id = version.schema_id
        return pb.GetSchemaResponse(schema=self._wire.schema(found))


def _scope(call: Call) -> SubjectScope:
    """The subjects that a list may tell its caller of."""
    return call.rights.where(call.operation.permission)


def _told_of(change: Change) -> Resource:
    """What a change tells of: a subject or a context, or all subjects when it is one of the registry."""
    if change.subject is not None:
        return subject(change.subject)
    context = change.metadata.get("scope", "").removeprefix("context:")
    return Resource(ResourceKind.CONTEXT, context if context.startswith(".") else "")


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


def _kinds(request: pb.StreamRequest) -> list[EventType]:
    """The kinds of event that a subscriber asks for."""
    if len(request.event_types) > MOST_KINDS:
        raise InvalidRequest(
            "event_types",
            f"has {len(request.event_types)} items; the limit is {MOST_KINDS}: name each kind once",
        )
    return [
        convert.enum(EventType, number, f"event_types[{i}]") for i, number in enumerate(request.event_types)
    ]


def _seconds(duration: Duration) -> float:
    """Any duration, also one that Python's timedelta cannot hold."""
    return float(duration.seconds) + duration.nanos / 1e9


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
