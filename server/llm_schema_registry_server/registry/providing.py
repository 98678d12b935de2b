"""ProviderService: what providers take of a schema, its form for one of them, its grammar, their answers. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.providers.notation import Syntax

from ..errors import InvalidRequest
from ..model.schema import SchemaVersion
from ..storage.store import Store
from ..workers.provider_tasks import (
    Checked,
    CheckProfiles,
    Compiled,
    CompileSchema,
    DecodeProviderAnswer,
    WriteGrammar,
    WrittenGrammar,
)
from .diffing import Diffing, GivenSchema, RegisteredSchema
from .library import KnownSchema, Library
from .limits import RequestLimits
from .profiles import Profiles
from .reading import selected, version_with_content
from .validating import DataVerdict, Payload, Validating

MOST_FINDINGS, FINDINGS = 500, 100
"""Of one report: the most that may be asked for, and those of a request that does not say."""
MOST_TEXT = 4096
"""Characters of a description that a request gives."""
MOST_NAME = 200

Found = Callable[[SchemaVersion], None]
Operand = RegisteredSchema | GivenSchema


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """prove_seconds: processor time for proofs of one call. form_bytes: of a compiled form, a grammar, or all findings of a call."""

    prove_seconds: float = 2.0
    form_bytes: int = 3 * 1024 * 1024


PROVIDER_LIMITS = ProviderLimits()


@dataclass(frozen=True, slots=True)
class FormRequest:
    """What to compile for which profile; see providers.compile_schema. prove_seconds: None for as much as is allowed."""

    profile: str
    surface: str = ""
    name: str = ""
    description: str = ""
    prove_seconds: float | None = None


class Providing:
    """The use cases of ProviderService that ask for schemas."""

    def __init__(
        self,
        store: Store,
        library: Library,
        diffing: Diffing,
        validating: Validating,
        profiles: Profiles,
        limits: RequestLimits,
        own: ProviderLimits,
    ) -> None:
        self._store, self._library, self._diffing, self._validating = store, library, diffing, validating
        self._profiles, self._limits, self._own = profiles, limits, own

    async def check(
        self, operand: Operand, profiles: Sequence[str], tool_name: str, findings: int, found: Found
    ) -> tuple[Checked, SchemaVersion | None]:
        """What profiles say about a schema, and the version that was checked. found: called with it before anything is done.
        Raises ProfileNotFound, InvalidRequest, and what reading or parsing the schema raises."""
        _demand_short("tool_name", tool_name, MOST_NAME)
        if not 0 <= findings <= MOST_FINDINGS:
            raise InvalidRequest("max_findings", f"is {findings}; it must be 0 to {MOST_FINDINGS}")
        schema, version = await self._schema(operand, found)
        wanted = await self._profiles.some(profiles)
        task = CheckProfiles(
            schema.source,
            tuple(known.given for known in wanted),
            tool_name,
            findings or FINDINGS,
            self._own.form_bytes,
        )
        return await self._library.run(task), version

    async def compile(
        self, operand: Operand, wanted: FormRequest, found: Found
    ) -> tuple[Compiled, SchemaVersion | None]:
        """The form of a schema for a provider. Raises as `check`, and ConversionRefused, LimitExceeded."""
        _demand_short("name", wanted.name, MOST_NAME)
        _demand_short("description", wanted.description, MOST_TEXT)
        seconds = self._seconds(wanted.prove_seconds)
        schema, version = await self._schema(operand, found)
        profile = await self._profiles.one(wanted.profile)
        task = CompileSchema(
            schema.source,
            profile.given,
            wanted.surface,
            wanted.name,
            wanted.description,
            seconds,
            self._own.form_bytes,
        )
        return await self._library.run(task), version

    async def grammar(
        self, operand: Operand, syntax: Syntax, prove_seconds: float | None, found: Found
    ) -> tuple[WrittenGrammar, SchemaVersion | None]:
        """The grammar of a schema. Raises as `compile`."""
        seconds = self._seconds(prove_seconds)
        schema, version = await self._schema(operand, found)
        task = WriteGrammar(schema.source, syntax, seconds, self._own.form_bytes)
        return await self._library.run(task), version

    async def decode(
        self, decoder: bytes, payload: Payload, found: Found
    ) -> tuple[bytes, DataVerdict | None]:
        """An answer in the shape of its schema, and the verdict about it when the payload names a schema. Raises InvalidRequest,
        DataRefused, and as Validating.data does."""
        if not decoder:
            raise InvalidRequest("decoder", "must not be empty; give the decoder of CompileForProvider")
        if len(decoder) > self._own.form_bytes:
            raise InvalidRequest(
                "decoder",
                f"is {len(decoder)} bytes long; the limit is {self._own.form_bytes} (setting providers.form_bytes)",
            )
        most = self._limits.data_bytes
        if len(payload.data) > most:
            raise InvalidRequest(
                "data",
                f"is {len(payload.data)} bytes long; the limit is {most} (setting limits.data_bytes)",
            )
        named = bool(payload.schema_id or payload.subject or payload.version)
        if named:
            await self._validating.version(payload, found)
        done = await self._library.run(DecodeProviderAnswer(decoder, payload.data, most))
        if not named:
            return done.document, None
        judged = Payload(payload.schema_id, done.document, subject=payload.subject, version=payload.version)
        return done.document, await self._validating.data(judged, found)

    async def _schema(self, operand: Operand, found: Found) -> tuple[KnownSchema, SchemaVersion | None]:
        if isinstance(operand, GivenSchema):
            _demand_json(operand.schema_type)
            return await self._diffing.known(operand, "schema"), None
        if operand.schema_id:
            version = (await version_with_content(self._store, self._library, operand.schema_id)).version
        else:
            if operand.subject is None or operand.selector is None:
                raise InvalidRequest("schema", "names no schema; give schema_id, subject or schema_content")
            chosen = await selected(self._store, self._library, operand.subject, operand.selector)
            version = chosen.version
        found(version)
        _demand_json(version.schema_type)
        return await self._library.known(version), version

    def _seconds(self, asked: float | None) -> float:
        most = self._own.prove_seconds
        if asked is None:
            return most
        if not 0 <= asked <= most:
            raise InvalidRequest(
                "prove_seconds",
                f"is {asked:g}; it must be 0 to {most:g} (setting providers.prove_seconds)",
            )
        return asked


def _demand_json(schema_type: SchemaType) -> None:
    if schema_type is not SchemaType.JSON:
        raise InvalidRequest(
            "schema",
            f"is of type {schema_type.name}; providers take JSON Schema: make one of it with ConvertSchema first",
        )


def _demand_short(field: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InvalidRequest(field, f"has {len(text)} characters; the limit is {most}")
