"""One version of a schema as one provider takes it, and the way back for the provider's answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from .._async_client import AsyncSchemaRegistry
from .._encode import data_bytes
from .._local import DEFAULT_ERRORS, INLINE_BYTES
from .._reference import SchemaRef, selected
from .._sync_client import SchemaRegistry
from ..results import CompileLoss, ProviderForm, SchemaContent, ValidationError
from .errors import AnswerRefused
from .judging import judged_schema
from .streams import AsyncGuardedStream, GuardedStream

if TYPE_CHECKING:
    from llm_schema_engines import AnswerStream, DataReport, StreamError

    from .._local import CompiledSchema

E = TypeVar("E")

AGAIN = "The answer is not valid. Answer again, with this corrected:"
"""What precedes the errors in a message to a model."""
DEFAULT_TOKENS = 200
"""The most that the errors in a message to a model may have."""

MOST_NAME = 200
"""Characters of a name that the compiler takes."""


class Contract:
    """A version of a subject, compiled for a provider. `load` makes one; keep it as long as you like, versions never change.

    schema: the version. compiled: its validator. form: what CompileForProvider gave. envelope: what goes into the request. It decodes and judges answers in this
    process, without a call of the registry, and needs the engines (`pip install 'llm-schema-registry[engines]'`). Threads may share it.
    """

    PROFILE: ClassVar[str] = ""
    """The profile for which it is compiled when none is named."""
    RESPONSE: ClassVar[str] = "response"
    """The surface of an answer that is text."""
    TOOL: ClassVar[str] = "tool"
    """The surface of an answer that is the call of a tool."""

    def __init__(
        self,
        schema: SchemaContent,
        form: ProviderForm,
        compiled: CompiledSchema,
        *,
        reask_tokens: int = DEFAULT_TOKENS,
    ) -> None:
        """compiled: the validator of the version. reask_tokens: see `load`."""
        from llm_schema_engines import Decoder

        self.schema = schema
        self.form = form
        self.envelope: Any = json.loads(form.envelope)
        self.reask_tokens = reask_tokens
        program = json.loads(form.decoder)
        self._decoder = Decoder(program)
        self.compiled = compiled
        self._engines = compiled.engines
        judged = compiled.parsed
        if not self._decoder.identity:
            whole = judged_schema(json.loads(schema.content), json.loads(form.schema), program)
            judged = self._engines.parse(json.dumps(whole), "JSON", format_policy="IGNORE", strict=False)
        self._judged = judged

    @classmethod
    def load(
        cls,
        registry: SchemaRegistry,
        schema: SchemaRef,
        *,
        profile: str = "",
        tool: bool = False,
        surface: str = "",
        name: str = "",
        description: str = "",
        reask_tokens: int = DEFAULT_TOKENS,
        prove_seconds: float | None = None,
    ) -> Self:
        """The contract of a version.

        schema: `subject@selector` such as `support.ticket@^2` (without `@` the latest), (subject, selector), or a version that the registry
        answered with. profile: another one than that of the class. tool: the answer is the call of a tool, not a text.
        surface: another envelope of the profile than the usual one for that; those of tools begin with `tool`. name, description: of the tool or format; the schema's own when empty. reask_tokens: of the errors in a message to the model.
        prove_seconds: as in `compile_for_provider`. Raises what `get_schema_by_version` and `compile_for_provider` raise, and
        ModuleNotFoundError without the engines.
        """
        version = selected(schema)
        if isinstance(version, tuple):
            version = registry.get_schema_by_version(*version)
        form = registry.compile_for_provider(
            version,
            profile or cls.PROFILE,
            surface=surface or (cls.TOOL if tool else cls.RESPONSE),
            name=name or _usual_name(version),
            description=description,
            prove_seconds=prove_seconds,
        )
        return cls(version, form, registry._compiled(version.id, None), reask_tokens=reask_tokens)

    @classmethod
    async def load_async(
        cls,
        registry: AsyncSchemaRegistry,
        schema: SchemaRef,
        *,
        profile: str = "",
        tool: bool = False,
        surface: str = "",
        name: str = "",
        description: str = "",
        reask_tokens: int = DEFAULT_TOKENS,
        prove_seconds: float | None = None,
    ) -> Self:
        """As `load`, for asyncio code."""
        version = selected(schema)
        if isinstance(version, tuple):
            version = await registry.get_schema_by_version(*version)
        form = await registry.compile_for_provider(
            version,
            profile or cls.PROFILE,
            surface=surface or (cls.TOOL if tool else cls.RESPONSE),
            name=name or _usual_name(version),
            description=description,
            prove_seconds=prove_seconds,
        )
        compiled = await registry._compiled(version.id, None)
        return await asyncio.to_thread(cls, version, form, compiled, reask_tokens=reask_tokens)

    @property
    def name(self) -> str:
        """The name of the tool or format, as it is sent."""
        return self.form.name

    @property
    def json_schema(self) -> dict[str, Any]:
        """The compiled schema, as it is sent."""
        found: dict[str, Any] = json.loads(self.form.schema)
        return found

    @property
    def losses(self) -> tuple[CompileLoss, ...]:
        """What the compiled form accepts more, or less, than the schema."""
        return self.form.losses

    @property
    def is_tool(self) -> bool:
        """Whether the answer is the call of a tool."""
        return self.form.surface.startswith("tool")

    def decode(self, answer: Any) -> Any:
        """The answer of the provider, JSON text or a JSON value, as a JSON value in the shape of the schema.

        Raises AnswerRefused when it is not valid under the schema.
        """
        text = decoded = data_bytes(answer)
        if not self._decoder.identity:
            report = self._engines.validate(self._judged, text)
            if not report.valid:
                raise self.refused(report, text)
            decoded = self._decoded(text)
        report = self.compiled.validator.validate(decoded, max_errors=DEFAULT_ERRORS)
        if not report.valid:
            raise self.refused(report, text)
        return json.loads(decoded)

    async def decode_async(self, answer: Any) -> Any:
        """As `decode`; a large answer is judged in a thread, so that other tasks go on."""
        text = data_bytes(answer)
        return self.decode(text) if len(text) <= INLINE_BYTES else await asyncio.to_thread(self.decode, text)

    def encode(self, value: Any) -> Any:
        """What the provider would have to answer for this value: for examples in a prompt. Raises DataRefused of the engines for
        what the compiled form has no place for."""
        return json.loads(self._decoder.encode(data_bytes(value)))

    def stream(self, *, fence: bool = False, prose: bool = False) -> AnswerStream:
        """Judges an answer while it arrives; as `answer_stream` of the client, in the shape in which the provider writes it."""
        return self._engines.answer_stream(self._judged, fence=fence, prose=prose)

    def guard(self, events: Iterable[E]) -> GuardedStream[E]:
        """The events of a streamed response as they come, until the answer in them cannot become valid any more."""
        return GuardedStream(self, events)

    def guard_async(self, events: AsyncIterable[E]) -> AsyncGuardedStream[E]:
        """As `guard`, for asyncio code."""
        return AsyncGuardedStream(self, events)

    def piece(self, event: Any) -> str:
        """The part of the answer that an event of a stream holds, "" for none. The module of each library says where it is."""
        return event if isinstance(event, str) else ""

    def retry_messages(self, text: str, answer: str) -> Sequence[Any]:
        """What to append to a conversation after an answer that was cut off or is not valid."""
        return ()

    def refused(self, report: DataReport, answer: bytes, *, byte_offset: int = -1) -> AnswerRefused:
        """The error for a report."""
        asked = self._engines.reask(report, tokens=self.reask_tokens)
        written = answer.decode("utf-8", "replace")
        return AnswerRefused(
            [
                ValidationError(e.path, e.message, e.error_type, e.schema_path, e.expected, e.got)
                for e in report.errors
            ],
            asked.text,
            tokens=asked.tokens,
            answer=written,
            byte_offset=byte_offset,
            messages=self.retry_messages(f"{AGAIN}\n{asked.text}", written),
        )

    def dead(self, error: StreamError, answer: bytes) -> AnswerRefused:
        """The error for a stream that cannot become valid any more."""
        from llm_schema_engines import DataIssue, DataReport

        issue = DataIssue(error.pointer, error.message, error.keyword, error.schema_path, error.expected)
        return self.refused(DataReport(False, (issue,)), answer, byte_offset=error.byte_offset)

    def _decoded(self, text: bytes) -> bytes:
        from llm_schema_engines import DataIssue, DataRefused, DataReport

        try:
            return self._decoder.decode(text)
        except DataRefused as error:
            pointer = error.metadata.get("pointer", "")
            told = error.violations[0].description.removeprefix(f"{pointer}: ")
            issue = DataIssue(pointer, told, "decode")
            raise self.refused(DataReport(False, (issue,)), text) from error


def _usual_name(version: SchemaContent) -> str:
    """The schema's title, which the compiler finds itself (""), or else the last word of the subject."""
    content = json.loads(version.content)
    if isinstance(content, Mapping) and isinstance(content.get("title"), str) and content["title"]:
        return ""
    return version.subject.rpartition("/")[2][:MOST_NAME]
