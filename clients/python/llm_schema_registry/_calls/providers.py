"""Calls about providers of language models: what they take of a schema, and its form for one of them.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import _decode_providers as decode
from .._arguments import texts
from .._call import PROVIDERS, Unary, unary
from .._checked import checked
from .._encode import Content, Data, SchemaId, content_bytes, data_bytes, number
from ..enums import GrammarSyntax, ProfileFit
from ..results import (
    DecodedAnswer,
    ProfileCheck,
    ProfileDocument,
    ProfileVerdict,
    ProviderForm,
    ProviderGrammar,
    ProviderProfile,
    PutProfile,
    SchemaContent,
    VerdictPage,
)
from ..v1 import providers_pb2 as pb
from .checks import schema_fields
from .tools import SchemaOperand, operand


@checked
def list_profiles(*, timeout: float | None = None) -> Unary[tuple[ProviderProfile, ...]]:
    """The profiles of providers that the registry knows, by id."""
    request = pb.ListProfilesRequest()
    return unary(PROVIDERS + "ListProfiles", pb.ListProfilesResponse, decode.profiles, request, timeout)


@checked
def get_profile(profile: str, *, timeout: float | None = None) -> Unary[ProfileDocument]:
    """One profile with its document. Raises ProfileNotFound."""
    request = pb.GetProfileRequest(profile=profile)
    return unary(PROVIDERS + "GetProfile", pb.GetProfileResponse, decode.document, request, timeout)


@checked
def put_profile(
    profile: str,
    document: Content,
    *,
    dry_run: bool = False,
    timeout: float | None = None,
) -> Unary[PutProfile]:
    """Add a profile of your own, or put another one in its place: its JSON text, or a path to the file of it.

    Its `version` is greater than that of the one which it replaces. `dry_run` only checks it. Raises InvalidRequest, which names the
    place that is wrong.
    """
    request = pb.PutProfileRequest(
        profile=profile, document=content_bytes(document, "document").decode("utf-8"), dry_run=dry_run
    )
    return unary(PROVIDERS + "PutProfile", pb.PutProfileResponse, decode.put, request, timeout)


@checked
def delete_profile(profile: str, *, timeout: float | None = None) -> Unary[str]:
    """Remove a profile of your own; answers with the revision. Subjects that demand it accept no JSON Schema then. Raises
    ProfileNotFound."""
    request = pb.DeleteProfileRequest(profile=profile)
    return unary(PROVIDERS + "DeleteProfile", pb.DeleteProfileResponse, decode.revision, request, timeout)


@checked
def check_profile(
    schema: SchemaOperand | SchemaContent,
    profiles: Iterable[str] = (),
    *,
    tool_name: str = "",
    max_findings: int = 0,
    timeout: float | None = None,
) -> Unary[ProfileCheck]:
    """What providers would do with a JSON Schema as it stands: those of `profiles`, all when there are none.

    The schema is a `SchemaOperand` or a version that the registry answered with. `tool_name`: the name that a tool would have.
    `max_findings`: of one profile, the gravest (0: 100). Raises ProfileNotFound, SchemaNotFound, SubjectNotFound, InvalidSchema.
    """
    request = pb.CheckProfileRequest(
        schema=operand(schema, "schema"),
        profiles=texts(profiles, "profiles"),
        tool_name=tool_name,
        max_findings=max_findings,
    )
    return unary(PROVIDERS + "CheckProfile", pb.CheckProfileResponse, decode.check, request, timeout)


@checked
def compile_for_provider(
    schema: SchemaOperand | SchemaContent,
    profile: str,
    *,
    surface: str = "",
    name: str = "",
    description: str = "",
    prove_seconds: float | None = None,
    timeout: float | None = None,
) -> Unary[ProviderForm]:
    """A JSON Schema as a provider takes it, ready for the request, with everything that is lost.

    `surface`: the envelope, such as `tool` or `response`; the profile's first one when empty. `name`, `description`: of the tool;
    the schema's own when empty. `prove_seconds`: processor time for proofs. Raises ProfileNotFound, ConversionRefused for a schema
    under which nothing is valid, SchemaNotFound, SubjectNotFound, InvalidSchema.
    """
    request = pb.CompileForProviderRequest(
        schema=operand(schema, "schema"),
        profile=profile,
        surface=surface,
        name=name,
        description=description,
        prove_seconds=prove_seconds,
    )
    return unary(
        PROVIDERS + "CompileForProvider", pb.CompileForProviderResponse, decode.form, request, timeout
    )


@checked
def decode_answer(
    decoder: Data,
    data: Data,
    *,
    schema_id: SchemaId | None = None,
    subject: str = "",
    version: str | int = "latest",
    timeout: float | None = None,
) -> Unary[DecodedAnswer]:
    """A provider's answer in the shape of the schema that it was asked with: `decoder` is that of the compiled form.

    With `schema_id`, or `subject` and `version`, it is validated too. The engines' `Decoder` does the same in this process. Raises
    DataRefused for an answer that cannot be taken back, SchemaNotFound, SubjectNotFound.
    """
    named: dict[str, Any] = {}
    if schema_id is not None or subject or version != "latest":
        named = schema_fields(schema_id, data, subject, version)
    request = pb.DecodeAnswerRequest(decoder=data_bytes(decoder, "decoder"), data=data_bytes(data), **named)
    return unary(PROVIDERS + "DecodeAnswer", pb.DecodeAnswerResponse, decode.decoded, request, timeout)


@checked
def grammar_for(
    schema: SchemaOperand | SchemaContent,
    syntax: GrammarSyntax | str = GrammarSyntax.GBNF,
    *,
    prove_seconds: float | None = None,
    timeout: float | None = None,
) -> Unary[ProviderGrammar]:
    """A JSON Schema as a grammar for a local engine: gbnf, lark or regex. Raises as `compile_for_provider`."""
    request = pb.GrammarForRequest(
        schema=operand(schema, "schema"),
        syntax=number(GrammarSyntax, syntax, "syntax"),
        prove_seconds=prove_seconds,
    )
    return unary(PROVIDERS + "GrammarFor", pb.GrammarForResponse, decode.grammar, request, timeout)


@checked
def list_profile_verdicts(
    profile: str,
    fit: ProfileFit | str = ProfileFit.REFUSED,
    *,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[VerdictPage[ProfileVerdict]]:
    """One page of the registered versions that fit a profile so, in the order of their registration; `page_token` goes on from the
    `next_page_token` of the page before. Raises ProfileNotFound."""
    request = pb.ListProfileVerdictsRequest(
        profile=profile, fit=number(ProfileFit, fit, "fit"), limit=limit, page_token=page_token
    )
    return unary(
        PROVIDERS + "ListProfileVerdicts",
        pb.ListProfileVerdictsResponse,
        decode.verdicts,
        request,
        timeout,
    )
