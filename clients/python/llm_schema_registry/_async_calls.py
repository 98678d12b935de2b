"""The methods of the asyncio client, one for each call. Made by clients/python/generate.py from `_calls`: edit those."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ._asynchronous import AsyncTransport
from ._calls import (
    access,
    admin,
    answers,
    audit,
    checks,
    conformance,
    credentials,
    fixes,
    providers,
    schemas,
    subjects,
    tickets,
    tools,
)
from ._calls.answers import AnswerChunk
from ._calls.checks import MISSING, CheckItem, ValidationItem
from ._calls.tools import SchemaOperand
from ._encode import Content, Data, Reference, SchemaId, SchemaSelector
from .access import AccessExplanation, AccessPolicies, Grant
from .audit import AuditCheckpoint, AuditEvent, AuditProof, Certificate
from .credentials import ApiKey, NewApiKey, RevokedToken, RoleGrant, WhoAmI
from .enums import (
    AuditEventType,
    AuditOutcome,
    AuditSeverity,
    Coercion,
    CompatibilityLevel,
    DataEncoding,
    FormatPolicy,
    GrammarSyntax,
    LintPolicy,
    Mode,
    ProfileFit,
    ReaskStyle,
    SchemaState,
    SchemaType,
    SearchOrder,
    Strictness,
    UndecidedPolicy,
    WriterModel,
)
from .results import (
    AnswerState,
    CoercedAnswer,
    CompatibilityReport,
    ConfigView,
    Conversion,
    DecodedAnswer,
    Dependency,
    FoundFixes,
    Health,
    Items,
    ItemsReport,
    ModelConformance,
    ModelOutcomes,
    OutcomesReported,
    Page,
    ProfileCheck,
    ProfileDocument,
    ProfileVerdict,
    ProviderForm,
    ProviderGrammar,
    ProviderProfile,
    PutProfile,
    ReaskedAnswer,
    Registration,
    SchemaContent,
    SchemaDiff,
    SchemaInfo,
    SchemaOrError,
    SchemaValidationReport,
    StateTransition,
    Ticket,
    ValidationReport,
    VerdictPage,
    VersionInfo,
)
from .statistics import Statistics


class AsyncCalls:
    """What a client can be asked, carried out by its transport."""

    _transport: AsyncTransport

    async def register_schema(
        self,
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
    ) -> Registration:
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
        return await self._transport.unary(
            schemas.register_schema(
                subject,
                content,
                schema_type,
                references=references,
                description=description,
                tags=tags,
                metadata=metadata,
                compatibility_level=compatibility_level,
                version=version,
                auto_activate=auto_activate,
                normalize=normalize,
                dry_run=dry_run,
                as_draft=as_draft,
                timeout=timeout,
            )
        )

    async def get_schema(self, schema_id: SchemaId, *, timeout: float | None = None) -> SchemaInfo:
        """The version with this id, live or softly deleted. Raises SchemaNotFound."""
        return await self._transport.unary(schemas.get_schema(schema_id, timeout=timeout))

    async def get_schema_by_version(
        self, subject: str, version: str | int = "latest", *, timeout: float | None = None
    ) -> SchemaInfo:
        """The version that a selector chooses: `latest`, an ordinal, a semantic version or a range such as `^1.2`.

        Raises SubjectNotFound, VersionNotFound, InvalidVersion.
        """
        return await self._transport.unary(schemas.get_schema_by_version(subject, version, timeout=timeout))

    async def get_latest_version(self, subject: str, *, timeout: float | None = None) -> SchemaInfo:
        """The newest live version in ACTIVE or DEPRECATED. Raises SubjectNotFound, VersionNotFound."""
        return await self._transport.unary(schemas.get_latest_version(subject, timeout=timeout))

    def list_schemas(
        self,
        *,
        subject_prefix: str | None = None,
        schema_type: SchemaType | str | None = None,
        state: SchemaState | str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
        timeout: float | None = None,
    ) -> AsyncGenerator[SchemaInfo, None]:
        """The versions that pass the filters, by subject and ordinal, all of them unless `limit` is given.

        `timeout` is the longest wait for the next item. A stream that breaks goes on after the last item received.
        """
        return self._transport.listing(
            schemas.list_schemas(
                subject_prefix=subject_prefix,
                schema_type=schema_type,
                state=state,
                limit=limit,
                offset=offset,
                page_token=page_token,
                include_deleted=include_deleted,
                timeout=timeout,
            )
        )

    async def update_schema_metadata(
        self,
        schema_id: SchemaId,
        *,
        description: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        state: SchemaState | str | None = None,
        reason: str = "",
        timeout: float | None = None,
    ) -> SchemaInfo:
        """Change what may change about a version: None leaves a field alone, an empty collection empties it.

        `state` moves the version along a transition, recorded with `reason`. Raises TransitionRefused, SchemaNotFound.
        """
        return await self._transport.unary(
            schemas.update_schema_metadata(
                schema_id,
                description=description,
                tags=tags,
                metadata=metadata,
                state=state,
                reason=reason,
                timeout=timeout,
            )
        )

    async def delete_schema(
        self, schema_id: SchemaId, *, permanent: bool = False, timeout: float | None = None
    ) -> None:
        """Delete a version softly (`undelete_schema` undoes it), or with `permanent` for ever: only after a soft delete, and only
        without dependents.

        Raises SchemaNotFound, NotSoftDeleted, HasDependents.
        """
        return await self._transport.unary(
            schemas.delete_schema(schema_id, permanent=permanent, timeout=timeout)
        )

    async def undelete_schema(self, schema_id: SchemaId, *, timeout: float | None = None) -> SchemaInfo:
        """Bring a softly deleted version back, with the same ids and version. Raises SchemaNotFound."""
        return await self._transport.unary(schemas.undelete_schema(schema_id, timeout=timeout))

    async def get_schema_history(
        self,
        schema_id: SchemaId,
        *,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[StateTransition]:
        """The recorded transitions of a version, oldest first.

        All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SchemaNotFound; also
        LimitExceeded when all of them are too much for one answer.
        """
        return await self._transport.unary(
            schemas.get_schema_history(schema_id, limit=limit, page_token=page_token, timeout=timeout)
        )

    async def search_schemas(
        self,
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
    ) -> Page[SchemaInfo]:
        """One page of the versions that match: every word of `query` begins a word of subject, description, tags,
        metadata or field names; `subject_pattern` knows `*` and `?`; all `tags` and `metadata` pairs are present.
        The best answers come first, or all by subject and ordinal with `order_by="name"` or without a query.
        """
        return await self._transport.unary(
            schemas.search_schemas(
                query,
                subject_pattern=subject_pattern,
                schema_type=schema_type,
                tags=tags,
                metadata=metadata,
                latest_only=latest_only,
                order_by=order_by,
                limit=limit,
                offset=offset,
                page_token=page_token,
                timeout=timeout,
            )
        )

    def iter_search(
        self,
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
    ) -> AsyncGenerator[SchemaInfo, None]:
        """All items, page by page (`limit` is the size of a page). One page of the versions that match: every word of `query` begins a word of subject, description, tags,
        metadata or field names; `subject_pattern` knows `*` and `?`; all `tags` and `metadata` pairs are present.
        The best answers come first, or all by subject and ordinal with `order_by="name"` or without a query.
        """
        return self._transport.pages(
            schemas.search_schemas(
                query,
                subject_pattern=subject_pattern,
                schema_type=schema_type,
                tags=tags,
                metadata=metadata,
                latest_only=latest_only,
                order_by=order_by,
                limit=limit,
                offset=offset,
                page_token=page_token,
                timeout=timeout,
            )
        )

    async def get_dependencies(
        self,
        schema_id: SchemaId,
        *,
        transitive: bool = False,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[Dependency]:
        """What a version uses, directly or at any depth, nearest first.

        All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SchemaNotFound; also
        LimitExceeded when all of them are too much for one answer.
        """
        return await self._transport.unary(
            schemas.get_dependencies(
                schema_id, transitive=transitive, limit=limit, page_token=page_token, timeout=timeout
            )
        )

    async def get_dependents(
        self,
        schema_id: SchemaId,
        *,
        transitive: bool = False,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[Dependency]:
        """What uses a version, directly or at any depth, nearest first.

        All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SchemaNotFound; also
        LimitExceeded when all of them are too much for one answer.
        """
        return await self._transport.unary(
            schemas.get_dependents(
                schema_id, transitive=transitive, limit=limit, page_token=page_token, timeout=timeout
            )
        )

    async def validate_data(
        self,
        schema_id: SchemaId | None = None,
        data: Data = MISSING,
        *,
        subject: str = "",
        version: str | int = "latest",
        strict: bool = False,
        encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
        message_name: str = "",
        max_errors: int = 0,
        timeout: float | None = None,
    ) -> ValidationReport:
        """Whether data is valid under a schema, and if not, why. Invalid data is an answer, not an error.

        The schema is named by its id, `validate_data(schema_id, data)`, or by subject and selector,
        `validate_data(subject="llm.answer", version="^1.2", data=data)`; the report says which version was used.
        `data` is text or bytes as they are, a JSON value, or a pydantic model. `strict` also refuses what the schema does
        not declare; `message_name` chooses a Protobuf message; `max_errors` 0 is the server's default (20). Raises
        SchemaNotFound, SubjectNotFound, VersionNotFound.
        """
        return await self._transport.unary(
            checks.validate_data(
                schema_id,
                data,
                subject=subject,
                version=version,
                strict=strict,
                encoding=encoding,
                message_name=message_name,
                max_errors=max_errors,
                timeout=timeout,
            )
        )

    def validate_many(
        self,
        items: Iterable[ValidationItem | tuple[SchemaId, Data]]
        | AsyncIterable[ValidationItem | tuple[SchemaId, Data]],
        /,
        *,
        window: int = 64,
        timeout: float | None = None,
    ) -> AsyncGenerator[ValidationReport, None]:
        """Validate a stream of payloads: `ValidationItem`s or (schema id, data) pairs. One report for each, in order.

        A report whose `error` is set stands for a request that failed by itself; the others are not touched by it. At
        most `window` items are under way, so memory stays bounded however long the stream is. `timeout` is the longest
        wait for the next report. When the connection breaks, the items without a report are sent again.
        """
        return self._transport.batch(checks.validate_many(window=window, timeout=timeout), items)

    async def validate_schema(
        self,
        content: Content,
        schema_type: SchemaType | str = SchemaType.JSON,
        *,
        references: Iterable[Reference] = (),
        timeout: float | None = None,
    ) -> SchemaValidationReport:
        """Whether a schema follows the rules of its type. Nothing is stored."""
        return await self._transport.unary(
            checks.validate_schema(content, schema_type, references=references, timeout=timeout)
        )

    async def check_compatibility(
        self,
        subject: str,
        content: Content,
        *,
        level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
        compare_version: str | int | None = None,
        references: Iterable[Reference] = (),
        schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
        timeout: float | None = None,
    ) -> CompatibilityReport:
        """Whether a schema could become the next version of a subject. Incompatible is an answer, not an error.

        `level` and `schema_type` are the subject's when unspecified. `compare_version` compares with that version only.
        """
        return await self._transport.unary(
            checks.check_compatibility(
                subject,
                content,
                level=level,
                compare_version=compare_version,
                references=references,
                schema_type=schema_type,
                timeout=timeout,
            )
        )

    def check_many(
        self,
        items: Iterable[CheckItem | tuple[str, Content]] | AsyncIterable[CheckItem | tuple[str, Content]],
        /,
        *,
        window: int = 64,
        timeout: float | None = None,
    ) -> AsyncGenerator[CompatibilityReport, None]:
        """Check a stream of schemas: `CheckItem`s or (subject, content) pairs. One report for each, in order.

        `error`, `window`, `timeout` and reconnection as in `validate_many`.
        """
        return self._transport.batch(checks.check_many(window=window, timeout=timeout), items)

    async def get_schemas(
        self, selectors: Iterable[SchemaSelector], *, page_token: str = "", timeout: float | None = None
    ) -> Items[SchemaOrError]:
        """Many versions in one call: up to 1,000, each by its id or by (subject, version selector).

        One item for each, in their order; one that is not there says so in its `error`. An answer holds some megabytes: when `next_page_token`
        is not "", ask again with it for the rest, as `get_many` does.
        """
        return await self._transport.unary(
            tools.get_schemas(selectors, page_token=page_token, timeout=timeout)
        )

    def get_many(
        self, selectors: Iterable[SchemaSelector], *, page_token: str = "", timeout: float | None = None
    ) -> AsyncGenerator[SchemaOrError, None]:
        """All items, page by page (`limit` is the size of a page). Many versions in one call: up to 1,000, each by its id or by (subject, version selector).

        One item for each, in their order; one that is not there says so in its `error`. An answer holds some megabytes: when `next_page_token`
        is not "", ask again with it for the rest, as `get_many` does.
        """
        return self._transport.pages(tools.get_schemas(selectors, page_token=page_token, timeout=timeout))

    async def validate_items(
        self,
        schema_id: SchemaId | None = None,
        items: Iterable[Data] = MISSING,
        *,
        subject: str = "",
        version: str | int = "latest",
        strict: bool = False,
        encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
        message_name: str = "",
        max_errors: int = 0,
        timeout: float | None = None,
    ) -> ItemsReport:
        """Many payloads under one version in one call, at most 2,000: how many are valid, and a report of each that is not.

        The schema is named, and an item written, as for `validate_data`. The answer holds some megabytes of reports: when `judged` is less
        than the number of items, ask again for those from there on. `validate_many` takes a stream without end, and items of many schemas.
        Raises SchemaNotFound, SubjectNotFound, VersionNotFound.
        """
        return await self._transport.unary(
            tools.validate_items(
                schema_id,
                items,
                subject=subject,
                version=version,
                strict=strict,
                encoding=encoding,
                message_name=message_name,
                max_errors=max_errors,
                timeout=timeout,
            )
        )

    async def diff_schemas(
        self,
        old: SchemaOperand | SchemaContent,
        new: SchemaOperand | SchemaContent,
        *,
        timeout: float | None = None,
    ) -> SchemaDiff:
        """What changed between two schemas, and what that means for readers. Nothing is stored.

        Each is a `SchemaOperand` or a version that the registry answered with. Raises SchemaNotFound, SubjectNotFound,
        InvalidSchema.
        """
        return await self._transport.unary(tools.diff_schemas(old, new, timeout=timeout))

    async def convert_schema(
        self,
        source: SchemaOperand | SchemaContent,
        target_type: SchemaType | str,
        *,
        message_name: str = "",
        data: Data | None = None,
        timeout: float | None = None,
    ) -> Conversion:
        """The same schema in another language, with a list of what it could not carry. Nothing is stored.

        `message_name` chooses the message of a Protobuf source. `data`, a JSON document that is valid under the source, is
        converted too. Raises ConversionRefused, DataRefused, SchemaNotFound, InvalidSchema.
        """
        return await self._transport.unary(
            tools.convert_schema(source, target_type, message_name=message_name, data=data, timeout=timeout)
        )

    async def list_profiles(self, *, timeout: float | None = None) -> tuple[ProviderProfile, ...]:
        """The profiles of providers that the registry knows, by id."""
        return await self._transport.unary(providers.list_profiles(timeout=timeout))

    async def get_profile(self, profile: str, *, timeout: float | None = None) -> ProfileDocument:
        """One profile with its document. Raises ProfileNotFound."""
        return await self._transport.unary(providers.get_profile(profile, timeout=timeout))

    async def put_profile(
        self, profile: str, document: Content, *, dry_run: bool = False, timeout: float | None = None
    ) -> PutProfile:
        """Add a profile of your own, or put another one in its place: its JSON text, or a path to the file of it.

        Its `version` is greater than that of the one which it replaces. `dry_run` only checks it. Raises InvalidRequest, which names the
        place that is wrong.
        """
        return await self._transport.unary(
            providers.put_profile(profile, document, dry_run=dry_run, timeout=timeout)
        )

    async def delete_profile(self, profile: str, *, timeout: float | None = None) -> str:
        """Remove a profile of your own; answers with the revision. Subjects that demand it accept no JSON Schema then. Raises
        ProfileNotFound.
        """
        return await self._transport.unary(providers.delete_profile(profile, timeout=timeout))

    async def check_profile(
        self,
        schema: SchemaOperand | SchemaContent,
        profiles: Iterable[str] = (),
        *,
        tool_name: str = "",
        max_findings: int = 0,
        timeout: float | None = None,
    ) -> ProfileCheck:
        """What providers would do with a JSON Schema as it stands: those of `profiles`, all when there are none.

        The schema is a `SchemaOperand` or a version that the registry answered with. `tool_name`: the name that a tool would have.
        `max_findings`: of one profile, the gravest (0: 100). Raises ProfileNotFound, SchemaNotFound, SubjectNotFound, InvalidSchema.
        """
        return await self._transport.unary(
            providers.check_profile(
                schema, profiles, tool_name=tool_name, max_findings=max_findings, timeout=timeout
            )
        )

    async def compile_for_provider(
        self,
        schema: SchemaOperand | SchemaContent,
        profile: str,
        *,
        surface: str = "",
        name: str = "",
        description: str = "",
        prove_seconds: float | None = None,
        timeout: float | None = None,
    ) -> ProviderForm:
        """A JSON Schema as a provider takes it, ready for the request, with everything that is lost.

        `surface`: the envelope, such as `tool` or `response`; the profile's first one when empty. `name`, `description`: of the tool;
        the schema's own when empty. `prove_seconds`: processor time for proofs. Raises ProfileNotFound, ConversionRefused for a schema
        under which nothing is valid, SchemaNotFound, SubjectNotFound, InvalidSchema.
        """
        return await self._transport.unary(
            providers.compile_for_provider(
                schema,
                profile,
                surface=surface,
                name=name,
                description=description,
                prove_seconds=prove_seconds,
                timeout=timeout,
            )
        )

    async def decode_answer(
        self,
        decoder: Data,
        data: Data,
        *,
        schema_id: SchemaId | None = None,
        subject: str = "",
        version: str | int = "latest",
        timeout: float | None = None,
    ) -> DecodedAnswer:
        """A provider's answer in the shape of the schema that it was asked with: `decoder` is that of the compiled form.

        With `schema_id`, or `subject` and `version`, it is validated too. The engines' `Decoder` does the same in this process. Raises
        DataRefused for an answer that cannot be taken back, SchemaNotFound, SubjectNotFound.
        """
        return await self._transport.unary(
            providers.decode_answer(
                decoder, data, schema_id=schema_id, subject=subject, version=version, timeout=timeout
            )
        )

    async def grammar_for(
        self,
        schema: SchemaOperand | SchemaContent,
        syntax: GrammarSyntax | str = GrammarSyntax.GBNF,
        *,
        prove_seconds: float | None = None,
        timeout: float | None = None,
    ) -> ProviderGrammar:
        """A JSON Schema as a grammar for a local engine: gbnf, lark or regex. Raises as `compile_for_provider`."""
        return await self._transport.unary(
            providers.grammar_for(schema, syntax, prove_seconds=prove_seconds, timeout=timeout)
        )

    async def list_profile_verdicts(
        self,
        profile: str,
        fit: ProfileFit | str = ProfileFit.REFUSED,
        *,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> VerdictPage[ProfileVerdict]:
        """One page of the registered versions that fit a profile so, in the order of their registration; `page_token` goes on from the
        `next_page_token` of the page before. Raises ProfileNotFound.
        """
        return await self._transport.unary(
            providers.list_profile_verdicts(profile, fit, limit=limit, page_token=page_token, timeout=timeout)
        )

    def iter_profile_verdicts(
        self,
        profile: str,
        fit: ProfileFit | str = ProfileFit.REFUSED,
        *,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> AsyncGenerator[ProfileVerdict, None]:
        """All items, page by page (`limit` is the size of a page). One page of the registered versions that fit a profile so, in the order of their registration; `page_token` goes on from the
        `next_page_token` of the page before. Raises ProfileNotFound.
        """
        return self._transport.pages(
            providers.list_profile_verdicts(profile, fit, limit=limit, page_token=page_token, timeout=timeout)
        )

    def validate_stream(
        self,
        items: Iterable[AnswerChunk] | AsyncIterable[AnswerChunk],
        /,
        *,
        window: int = 64,
        timeout: float | None = None,
    ) -> AsyncGenerator[AnswerState, None]:
        """Judge documents while they arrive, any number of them mixed. One state for each chunk, in order.

        A state whose `error` is set stands for a chunk that failed by itself; its document is forgotten. At most `window`
        chunks are under way. `timeout` is the longest wait for the next state. When the connection breaks, the documents that
        are open are lost: their next states have an `error`. `answer_stream` judges in this process, without a call for each chunk.
        """
        return self._transport.batch(answers.validate_stream(window=window, timeout=timeout), items)

    async def reask_answer(
        self,
        schema_id: SchemaId | None = None,
        data: Data = MISSING,
        *,
        subject: str = "",
        version: str | int = "latest",
        strict: bool = False,
        style: ReaskStyle | str = ReaskStyle.LINES,
        max_tokens: int = 0,
        redact: bool = False,
        subschemas: bool = False,
        call_id: str = "",
        timeout: float | None = None,
    ) -> ReaskedAnswer:
        """The errors of an answer as a request to the model to correct it, in the form that its interface takes.

        The schema is named as in `validate_data`. `max_tokens` bounds the text (0: 400). `redact`: quote no value of the answer.
        `subschemas`: add the schemas that the errors are about. `call_id`: of the tool call. Raises SchemaNotFound,
        SubjectNotFound, VersionNotFound.
        """
        return await self._transport.unary(
            answers.reask_answer(
                schema_id,
                data,
                subject=subject,
                version=version,
                strict=strict,
                style=style,
                max_tokens=max_tokens,
                redact=redact,
                subschemas=subschemas,
                call_id=call_id,
                timeout=timeout,
            )
        )

    async def coerce_answer(
        self,
        schema_id: SchemaId | None = None,
        data: Data = MISSING,
        *,
        kinds: Iterable[Coercion | str] = (),
        subject: str = "",
        version: str | int = "latest",
        timeout: float | None = None,
    ) -> CoercedAnswer:
        """Correct an answer that is not valid, in the ways `kinds` and no further than is certain; a valid one is not changed. Without
        `kinds` in those that the settings of its subject name (`set_config(coercions=...)`).

        The schema is named as in `validate_data`. Raises SchemaNotFound, SubjectNotFound, VersionNotFound, and InvalidRequest under
        another schema than a JSON Schema.
        """
        return await self._transport.unary(
            answers.coerce_answer(
                schema_id, data, kinds=kinds, subject=subject, version=version, timeout=timeout
            )
        )

    async def find_fixes(
        self,
        subject: str,
        content: Content,
        *,
        level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
        compare_version: str | int | None = None,
        references: Iterable[Reference] = (),
        schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
        limit: int = 0,
        timeout: float | None = None,
    ) -> FoundFixes:
        """Edits of a schema that `check_compatibility` refuses, under which it is compatible. Each was parsed and proved.

        The arguments are those of `check_compatibility`; `limit` is the most fixes, up to 5 (0: 3). No fix is an answer, not an error.
        """
        return await self._transport.unary(
            fixes.find_fixes(
                subject,
                content,
                level=level,
                compare_version=compare_version,
                references=references,
                schema_type=schema_type,
                limit=limit,
                timeout=timeout,
            )
        )

    async def report_outcomes(
        self, items: Iterable[ModelOutcomes], *, report_id: str = "", timeout: float | None = None
    ) -> OutcomesReported:
        """Count what became of answers, up to 1,000 items. They are stored when this returns.

        `report_id` names the report: one that is sent again within a day is not counted twice. Without one it is new. Raises InvalidRequest, and
        LimitExceeded when the registry cannot keep up: report the same again later.
        """
        return await self._transport.unary(
            conformance.report_outcomes(items, report_id=report_id, timeout=timeout)
        )

    async def get_conformance(
        self,
        subject: str,
        version: str | int | None = None,
        *,
        model: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[ModelConformance]:
        """One page of the rates of a subject by version and model, in the order of the versions; `page_token` goes on from the `next_page_token` of
        the page before.

        All versions without `version`, all models without `model`. `since` and `until` are whole days (UTC), the last one not included. Raises
        SubjectNotFound, VersionNotFound.
        """
        return await self._transport.unary(
            conformance.get_conformance(
                subject,
                version,
                model=model,
                since=since,
                until=until,
                limit=limit,
                page_token=page_token,
                timeout=timeout,
            )
        )

    def iter_conformance(
        self,
        subject: str,
        version: str | int | None = None,
        *,
        model: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> AsyncGenerator[ModelConformance, None]:
        """All items, page by page (`limit` is the size of a page). One page of the rates of a subject by version and model, in the order of the versions; `page_token` goes on from the `next_page_token` of
        the page before.

        All versions without `version`, all models without `model`. `since` and `until` are whole days (UTC), the last one not included. Raises
        SubjectNotFound, VersionNotFound.
        """
        return self._transport.pages(
            conformance.get_conformance(
                subject,
                version,
                model=model,
                since=since,
                until=until,
                limit=limit,
                page_token=page_token,
                timeout=timeout,
            )
        )

    async def list_subjects(
        self,
        *,
        prefix: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
        timeout: float | None = None,
    ) -> Page[str]:
        """One page of the subjects with at least one live version, by name."""
        return await self._transport.unary(
            subjects.list_subjects(
                prefix=prefix,
                limit=limit,
                offset=offset,
                page_token=page_token,
                include_deleted=include_deleted,
                timeout=timeout,
            )
        )

    def iter_subjects(
        self,
        *,
        prefix: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
        timeout: float | None = None,
    ) -> AsyncGenerator[str, None]:
        """All items, page by page (`limit` is the size of a page). One page of the subjects with at least one live version, by name."""
        return self._transport.pages(
            subjects.list_subjects(
                prefix=prefix,
                limit=limit,
                offset=offset,
                page_token=page_token,
                include_deleted=include_deleted,
                timeout=timeout,
            )
        )

    async def list_versions(
        self,
        subject: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
        timeout: float | None = None,
    ) -> Page[str]:
        """One page of the semantic versions of a subject, oldest first. Raises SubjectNotFound."""
        return await self._transport.unary(
            subjects.list_versions(
                subject,
                limit=limit,
                offset=offset,
                page_token=page_token,
                include_deleted=include_deleted,
                timeout=timeout,
            )
        )

    def iter_versions(
        self,
        subject: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        page_token: str = "",
        include_deleted: bool = False,
        timeout: float | None = None,
    ) -> AsyncGenerator[str, None]:
        """All items, page by page (`limit` is the size of a page). One page of the semantic versions of a subject, oldest first. Raises SubjectNotFound."""
        return self._transport.pages(
            subjects.list_versions(
                subject,
                limit=limit,
                offset=offset,
                page_token=page_token,
                include_deleted=include_deleted,
                timeout=timeout,
            )
        )

    async def get_subject_versions(
        self,
        subject: str,
        *,
        include_deleted: bool = False,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[VersionInfo]:
        """The live versions of a subject with their ids and states, oldest first.

        All of them unless `limit` is given; then `page_token` goes on from the `next_page_token` of the part before. Raises SubjectNotFound; also
        LimitExceeded when all of them are too much for one answer.
        """
        return await self._transport.unary(
            subjects.get_subject_versions(
                subject, include_deleted=include_deleted, limit=limit, page_token=page_token, timeout=timeout
            )
        )

    async def delete_subject(
        self, subject: str, *, permanent: bool = False, timeout: float | None = None
    ) -> tuple[str, ...]:
        """Delete every version of a subject: softly the live ones, all or none, or for ever the softly deleted ones.

        What an interruption of the latter leaves is softly deleted, and a repetition removes it.

        The versions that were deleted, oldest first. Raises SubjectNotFound, HasDependents.
        """
        return await self._transport.unary(
            subjects.delete_subject(subject, permanent=permanent, timeout=timeout)
        )

    async def get_config(
        self, subject: str = "", *, context: str = "", timeout: float | None = None
    ) -> ConfigView:
        """The settings of a subject, of a context such as ".staging", or (neither given) of the registry."""
        return await self._transport.unary(subjects.get_config(subject, context=context, timeout=timeout))

    async def set_config(
        self,
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
    ) -> ConfigView:
        """Set the given settings of a scope and leave its others alone. max_subjects, max_versions, max_bytes: of a context, or of each
        one; 0 for no limit. profiles: of the providers that a JSON Schema must fit no worse than `worst_fit`. coercions: what
        `coerce_answer` corrects when it names no kinds. An empty list of either takes back what a wider scope says.
        """
        return await self._transport.unary(
            subjects.set_config(
                subject,
                context=context,
                compatibility_level=compatibility_level,
                mode=mode,
                strictness=strictness,
                writer_model=writer_model,
                apply_defaults=apply_defaults,
                format_policy=format_policy,
                undecided=undecided,
                default_dialect=default_dialect,
                lint=lint,
                max_subjects=max_subjects,
                max_versions=max_versions,
                max_bytes=max_bytes,
                profiles=profiles,
                worst_fit=worst_fit,
                coercions=coercions,
                timeout=timeout,
            )
        )

    async def delete_config(
        self, subject: str = "", *, context: str = "", timeout: float | None = None
    ) -> None:
        """Remove all settings of a scope: the wider scope counts again."""
        return await self._transport.unary(subjects.delete_config(subject, context=context, timeout=timeout))

    async def health_check(self, *, timeout: float | None = None) -> Health:
        """How the server and its parts are."""
        return await self._transport.unary(subjects.health_check(timeout=timeout))

    async def get_statistics(self, *, fresh: bool = False, timeout: float | None = None) -> Statistics:
        """How much the registry holds, as it was counted last (`as_of`), and which versions are used most.

        The registry counts by itself every few minutes; `fresh` has it count now, unless its last count is younger than ten times
        what it took, or than ten seconds if that is less.
        """
        return await self._transport.unary(admin.get_statistics(fresh=fresh, timeout=timeout))

    async def create_ticket(self, *, timeout: float | None = None) -> Ticket:
        """A ticket that opens one WebSocket within 30 s in the name of this client: hand it to a page in a browser, which cannot show
        credentials there and adds it to the URL as `?ticket=...`.
        """
        return await self._transport.unary(tickets.create_ticket(timeout=timeout))

    async def create_api_key(
        self,
        name: str,
        grants: Iterable[RoleGrant | str],
        *,
        expires_at: datetime | None = None,
        timeout: float | None = None,
    ) -> NewApiKey:
        """Make an API key that has roles: each a name such as "reader", for everything, or a `RoleGrant` with the subjects that it is for.

        Its secret is in the answer and cannot be read again. Raises PermissionDenied for what the caller may not do himself, and
        ApiKeyNameTaken.
        """
        return await self._transport.unary(
            credentials.create_api_key(name, grants, expires_at=expires_at, timeout=timeout)
        )

    async def list_api_keys(
        self, *, name: str = "", limit: int | None = None, page_token: str = "", timeout: float | None = None
    ) -> Items[ApiKey]:
        """One page of the API keys, by name; `page_token` goes on from the `next_page_token` of the page before.

        With `name` only the key that is called so, if there is one.
        """
        return await self._transport.unary(
            credentials.list_api_keys(name=name, limit=limit, page_token=page_token, timeout=timeout)
        )

    def iter_api_keys(
        self, *, name: str = "", limit: int | None = None, page_token: str = "", timeout: float | None = None
    ) -> AsyncGenerator[ApiKey, None]:
        """All items, page by page (`limit` is the size of a page). One page of the API keys, by name; `page_token` goes on from the `next_page_token` of the page before.

        With `name` only the key that is called so, if there is one.
        """
        return self._transport.pages(
            credentials.list_api_keys(name=name, limit=limit, page_token=page_token, timeout=timeout)
        )

    async def get_api_key(self, key_id: str, *, timeout: float | None = None) -> ApiKey:
        """One API key, without its secret. Raises ApiKeyNotFound."""
        return await self._transport.unary(credentials.get_api_key(key_id, timeout=timeout))

    async def update_api_key(
        self,
        key_id: str,
        *,
        enabled: bool | None = None,
        grants: Iterable[RoleGrant | str] | None = None,
        expires_at: datetime | None = None,
        never_expires: bool = False,
        timeout: float | None = None,
    ) -> ApiKey:
        """Change what is given of an API key; all servers know within a second.

        `enabled=False` lets it count no more; `grants` takes the place of all that it has; `never_expires` takes its end away. Raises
        ApiKeyNotFound, and PermissionDenied for what the caller may not do himself.
        """
        return await self._transport.unary(
            credentials.update_api_key(
                key_id,
                enabled=enabled,
                grants=grants,
                expires_at=expires_at,
                never_expires=never_expires,
                timeout=timeout,
            )
        )

    async def rotate_api_key(
        self, key_id: str, *, overlap_seconds: float | None = None, timeout: float | None = None
    ) -> NewApiKey:
        """Give an API key a new secret, which cannot be read again. The one before counts for `overlap_seconds` longer, else no more.

        Raises ApiKeyNotFound, and PermissionDenied when the key may do what the caller may not.
        """
        return await self._transport.unary(
            credentials.rotate_api_key(key_id, overlap_seconds=overlap_seconds, timeout=timeout)
        )

    async def delete_api_key(self, key_id: str, *, timeout: float | None = None) -> None:
        """Remove an API key for ever. Raises ApiKeyNotFound."""
        return await self._transport.unary(credentials.delete_api_key(key_id, timeout=timeout))

    async def revoke_token(
        self,
        token: str = "",
        *,
        token_id: str = "",
        expires_at: datetime | None = None,
        reason: str = "",
        timeout: float | None = None,
    ) -> RevokedToken:
        """Let a token count no more, on all servers within a second: the token itself, or its `jti` as `token_id` and its end."""
        return await self._transport.unary(
            credentials.revoke_token(
                token, token_id=token_id, expires_at=expires_at, reason=reason, timeout=timeout
            )
        )

    async def list_revoked_tokens(
        self, *, limit: int | None = None, page_token: str = "", timeout: float | None = None
    ) -> Items[RevokedToken]:
        """One page of the tokens that were revoked and would not have ended yet, by their ids."""
        return await self._transport.unary(
            credentials.list_revoked_tokens(limit=limit, page_token=page_token, timeout=timeout)
        )

    def iter_revoked_tokens(
        self, *, limit: int | None = None, page_token: str = "", timeout: float | None = None
    ) -> AsyncGenerator[RevokedToken, None]:
        """All items, page by page (`limit` is the size of a page). One page of the tokens that were revoked and would not have ended yet, by their ids."""
        return self._transport.pages(
            credentials.list_revoked_tokens(limit=limit, page_token=page_token, timeout=timeout)
        )

    async def who_am_i(self, *, timeout: float | None = None) -> WhoAmI:
        """Whom the server takes this client for, and what it may do."""
        return await self._transport.unary(credentials.who_am_i(timeout=timeout))

    async def list_grants(
        self,
        holder: str = "",
        *,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[Grant]:
        """One page of the grants, by holder, role and scope; `page_token` goes on from the `next_page_token` of the page before.

        The first page begins with those of the settings of the server that answers. With `holder` only those of this holder.
        """
        return await self._transport.unary(
            access.list_grants(holder, limit=limit, page_token=page_token, timeout=timeout)
        )

    def iter_grants(
        self,
        holder: str = "",
        *,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> AsyncGenerator[Grant, None]:
        """All items, page by page (`limit` is the size of a page). One page of the grants, by holder, role and scope; `page_token` goes on from the `next_page_token` of the page before.

        The first page begins with those of the settings of the server that answers. With `holder` only those of this holder.
        """
        return self._transport.pages(
            access.list_grants(holder, limit=limit, page_token=page_token, timeout=timeout)
        )

    async def set_grant(
        self, holder: str, role: str, scope: str = "*", *, timeout: float | None = None
    ) -> Grant:
        """Give a role on the subjects of a scope ("orders.*", ":.staging:*", "*" for all) to a holder ("user:ada", "role:team", "*").

        It counts on all servers within a second. Raises PermissionDenied for what the caller does not hold himself.
        """
        return await self._transport.unary(access.set_grant(holder, role, scope, timeout=timeout))

    async def delete_grant(
        self, holder: str, role: str, scope: str = "*", *, timeout: float | None = None
    ) -> None:
        """Take a grant back, on all servers within a second. Raises GrantNotFound."""
        return await self._transport.unary(access.delete_grant(holder, role, scope, timeout=timeout))

    async def get_policies(self, version: int = 0, *, timeout: float | None = None) -> AccessPolicies:
        """The access policies: the newest, or those of a version, of which the last twenty are kept."""
        return await self._transport.unary(access.get_policies(version, timeout=timeout))

    async def set_policies(
        self,
        policies: Mapping[str, Any],
        *,
        expected_version: int,
        dry_run: bool = False,
        allow_lockout: bool = False,
        timeout: float | None = None,
    ) -> int:
        """Set the access policies, all of them, instead of those of `expected_version`; answers with their version.

        `dry_run` checks them and sets nothing. Those that would keep the caller from setting others are refused unless
        `allow_lockout`. Raises ConcurrentUpdate when there is another version by now.
        """
        return await self._transport.unary(
            access.set_policies(
                policies,
                expected_version=expected_version,
                dry_run=dry_run,
                allow_lockout=allow_lockout,
                timeout=timeout,
            )
        )

    async def explain_access(
        self,
        permission: str,
        resource: str = "",
        *,
        holder: str = "",
        roles: Iterable[str] = (),
        department: str = "",
        clearance: int | None = None,
        address: str = "",
        at: datetime | None = None,
        policies: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> AccessExplanation:
        """Why a permission such as "schema:read" holds for a subject or not; without `resource`, for the registry as a whole.

        It is asked for the caller, or for `holder` ("user:ada") with these roles, department and clearance, from an address and at a time.
        With `policies` those are asked instead of the ones in force: what would change.
        """
        return await self._transport.unary(
            access.explain_access(
                permission,
                resource,
                holder=holder,
                roles=roles,
                department=department,
                clearance=clearance,
                address=address,
                at=at,
                policies=policies,
                timeout=timeout,
            )
        )

    async def list_audit_events(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        principal: str = "",
        operation: str = "",
        type: AuditEventType | str = AuditEventType.UNSPECIFIED,
        outcome: AuditOutcome | str = AuditOutcome.UNSPECIFIED,
        severity: AuditSeverity | str = AuditSeverity.UNSPECIFIED,
        resource: str = "",
        newest_first: bool = False,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Items[AuditEvent]:
        """One page of the entries of the audit log that pass a filter; `page_token` goes on from the `next_page_token` of the page before.

        `until` is the first moment that is too late, `severity` the least one; `resource` is a name, or kind and name: "subject:orders". A
        page may be short or empty before the last one: `iter_audit_events` gives all. An entry is there within about a second.
        """
        return await self._transport.unary(
            audit.list_audit_events(
                since=since,
                until=until,
                principal=principal,
                operation=operation,
                type=type,
                outcome=outcome,
                severity=severity,
                resource=resource,
                newest_first=newest_first,
                limit=limit,
                page_token=page_token,
                timeout=timeout,
            )
        )

    def iter_audit_events(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        principal: str = "",
        operation: str = "",
        type: AuditEventType | str = AuditEventType.UNSPECIFIED,
        outcome: AuditOutcome | str = AuditOutcome.UNSPECIFIED,
        severity: AuditSeverity | str = AuditSeverity.UNSPECIFIED,
        resource: str = "",
        newest_first: bool = False,
        limit: int | None = None,
        page_token: str = "",
        timeout: float | None = None,
    ) -> AsyncGenerator[AuditEvent, None]:
        """All items, page by page (`limit` is the size of a page). One page of the entries of the audit log that pass a filter; `page_token` goes on from the `next_page_token` of the page before.

        `until` is the first moment that is too late, `severity` the least one; `resource` is a name, or kind and name: "subject:orders". A
        page may be short or empty before the last one: `iter_audit_events` gives all. An entry is there within about a second.
        """
        return self._transport.pages(
            audit.list_audit_events(
                since=since,
                until=until,
                principal=principal,
                operation=operation,
                type=type,
                outcome=outcome,
                severity=severity,
                resource=resource,
                newest_first=newest_first,
                limit=limit,
                page_token=page_token,
                timeout=timeout,
            )
        )

    async def get_audit_checkpoint(self, *, timeout: float | None = None) -> AuditCheckpoint:
        """What the audit log is now, signed. Keep its `note` where nobody can alter it: later alterations then show."""
        return await self._transport.unary(audit.get_audit_checkpoint(timeout=timeout))

    async def get_inclusion_proof(
        self, position: int, *, tree_size: int | None = None, timeout: float | None = None
    ) -> AuditProof:
        """The proof that an entry is in the tree of the newest checkpoint, or in that of another size."""
        return await self._transport.unary(
            audit.get_inclusion_proof(position, tree_size=tree_size, timeout=timeout)
        )

    async def get_consistency_proof(
        self, old_size: int, *, new_size: int | None = None, timeout: float | None = None
    ) -> AuditProof:
        """The proof that the log of one size has only grown into that of the newest checkpoint, or of another size."""
        return await self._transport.unary(
            audit.get_consistency_proof(old_size, new_size=new_size, timeout=timeout)
        )

    def export_audit(
        self, *, first: int | None = None, timeout: float | None = None
    ) -> AsyncGenerator[str, None]:
        """The audit log from a position (from its oldest entry without one) to the newest checkpoint, as lines of JSON without line
        breaks: what `audit_verify` verifies. `timeout` is the longest wait for the next line. When the connection breaks, it goes on.
        """
        return self._transport.listing(audit.export_audit(first=first, timeout=timeout))

    async def certify_compatibility(
        self,
        subject: str,
        content: Content,
        *,
        level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
        compare_version: str | int | None = None,
        references: Iterable[Reference] = (),
        schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
        timeout: float | None = None,
    ) -> Certificate:
        """As `check_compatibility`, with the verdict signed by the registry: `verify_verdict` verifies it without any server."""
        return await self._transport.unary(
            audit.certify_compatibility(
                subject,
                content,
                level=level,
                compare_version=compare_version,
                references=references,
                schema_type=schema_type,
                timeout=timeout,
            )
        )
