"""The handlers of ProviderService."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.providers.findings import ProfileReport
from llm_schema_engines.providers.losses import AnswerCheck, CompileLoss
from llm_schema_engines.providers.notation import Syntax
from llm_schema_registry.v1 import providers_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb
from llm_schema_registry.v1 import tools_pb2

from ..calls.call import Call
from ..errors import InvalidRequest
from ..model.principal import READ
from ..model.profile import JudgedVersion, ProfileFit
from ..model.schema import SchemaVersion
from ..model.selector import parse_selector
from ..model.subject import Subject
from ..registry.diffing import GivenSchema, Operand, RegisteredSchema
from ..registry.fairness import Turns
from ..registry.profiles import KnownProfile
from ..registry.providing import FormRequest
from ..registry.use_cases import UseCases
from ..registry.validating import Payload
from . import convert
from .actors import actor, named_or_learnt, wrote


class ProviderService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases) -> None:
        self._profiles, self._providing, self._verdicts = use.profiles, use.providing, use.verdicts

    async def list_profiles(self, request: pb.ListProfilesRequest, call: Call) -> pb.ListProfilesResponse:
        return pb.ListProfilesResponse(profiles=map(_profile, (await self._profiles.all()).values()))

    async def get_profile(self, request: pb.GetProfileRequest, call: Call) -> pb.GetProfileResponse:
        known = await self._profiles.one(request.profile)
        return pb.GetProfileResponse(profile=_profile(known), document=known.document)

    async def put_profile(self, request: pb.PutProfileRequest, call: Call) -> pb.PutProfileResponse:
        done = await self._profiles.put(
            request.profile, request.document, actor(call), dry_run=request.dry_run
        )
        wrote(call, done.revision)
        return pb.PutProfileResponse(
            profile=_profile(done.profile), created=done.created, revision=done.revision
        )

    async def delete_profile(self, request: pb.DeleteProfileRequest, call: Call) -> pb.DeleteProfileResponse:
        revision = await self._profiles.delete(request.profile, actor(call))
        wrote(call, revision)
        return pb.DeleteProfileResponse(revision=revision)

    async def check_profile(self, request: pb.CheckProfileRequest, call: Call) -> pb.CheckProfileResponse:
        with convert.Refusals():
            checked, version = await self._providing.check(
                _operand(request.schema, call),
                request.profiles,
                request.tool_name,
                request.max_findings,
                _namer(request.schema.schema_id, call),
            )
        answer, turns = pb.CheckProfileResponse(schema_id=_id(version)), Turns()
        for report in checked.reports:  # of one profile hundreds of findings
            answer.reports.append(_report(report))
            await turns.pause_if_due()
        return answer

    async def compile_for_provider(
        self, request: pb.CompileForProviderRequest, call: Call
    ) -> pb.CompileForProviderResponse:
        wanted = FormRequest(
            request.profile,
            request.surface,
            request.name,
            request.description,
            request.prove_seconds if request.HasField("prove_seconds") else None,
        )
        with convert.Refusals():
            form, version = await self._providing.compile(
                _operand(request.schema, call), wanted, _namer(request.schema.schema_id, call)
            )
        return pb.CompileForProviderResponse(
            profile=form.profile,
            profile_version=form.profile_version,
            surface=form.surface,
            name=form.name,
            envelope=form.envelope,
            schema=form.schema,
            fit=pb.ProfileFit.Value(f"PROFILE_FIT_{form.fit}"),
            losses=map(_loss, form.losses),
            not_widened=registry_pb.Verdict.ValueType(form.widened),
            not_narrowed=registry_pb.Verdict.ValueType(form.narrowed),
            checks=map(_check, form.checks),
            not_guaranteed=form.not_guaranteed,
            decoder=form.decoder,
            decoded_schema=form.meant,
            report=_report(form.report),
            schema_id=_id(version),
        )

    async def decode_answer(self, request: pb.DecodeAnswerRequest, call: Call) -> pb.DecodeAnswerResponse:
        document, verdict = await self._providing.decode(
            request.decoder,
            Payload(request.schema_id, request.data, subject=request.subject, version=request.version),
            _namer(request.schema_id, call),
        )
        report = None if verdict is None else convert.data_report(verdict, 0.0)
        return pb.DecodeAnswerResponse(data=document, report=report)

    async def grammar_for(self, request: pb.GrammarForRequest, call: Call) -> pb.GrammarForResponse:
        syntax = _syntax(request.syntax)
        seconds = request.prove_seconds if request.HasField("prove_seconds") else None
        with convert.Refusals():
            done, version = await self._providing.grammar(
                _operand(request.schema, call), syntax, seconds, _namer(request.schema.schema_id, call)
            )
        return pb.GrammarForResponse(
            syntax=request.syntax,
            text=done.text,
            losses=map(_loss, done.losses),
            not_widened=registry_pb.Verdict.ValueType(done.widened),
            not_narrowed=registry_pb.Verdict.ValueType(done.narrowed),
            schema_id=_id(version),
        )

    async def list_profile_verdicts(
        self, request: pb.ListProfileVerdictsRequest, call: Call
    ) -> pb.ListProfileVerdictsResponse:
        found = await self._verdicts(
            request.profile,
            convert.optional_enum(ProfileFit, request.fit, "fit") or ProfileFit.REFUSED,
            limit=request.limit or None,
            page_token=request.page_token,
            readable=call.rights.where(READ),
        )
        return pb.ListProfileVerdictsResponse(
            verdicts=map(_verdict, found.verdicts),
            next_page_token=found.next_token,
            complete=found.complete,
        )


def _operand(given: tools_pb2.SchemaOperand, call: Call) -> Operand:
    named = [name for name in ("schema_id", "subject", "schema_content") if getattr(given, name)]
    if len(named) > 1:
        raise InvalidRequest(f"schema.{named[1]}", f"cannot be given together with {named[0]}")
    if given.schema_id:
        return RegisteredSchema(schema_id=given.schema_id)
    if given.schema_content:
        kind = convert.optional_enum(SchemaType, given.schema_type, "schema.schema_type")
        return GivenSchema(
            kind or SchemaType.JSON,
            given.schema_content,
            convert.references(given.references),
            readable=call.rights.where(READ),
        )
    if not given.subject:
        raise InvalidRequest("schema", "names no schema; give schema_id, subject or schema_content")
    return RegisteredSchema(
        subject=Subject.parse(given.subject, "schema.subject"),
        selector=parse_selector(given.version or "latest", "schema.version"),
    )


def _namer(schema_id: str, call: Call) -> Callable[[SchemaVersion], None]:
    return lambda version: named_or_learnt(version, schema_id, call)


def _id(version: SchemaVersion | None) -> str:
    return "" if version is None else version.schema_id


def _syntax(number: int) -> Syntax:
    names = {getattr(pb, f"GRAMMAR_SYNTAX_{syntax.name}"): syntax for syntax in Syntax}
    if number not in names:
        what = "is not set" if number == 0 else f"{number} is none that there is"
        there = ", ".join(f"{syntax.name}={n}" for n, syntax in names.items())
        raise InvalidRequest("syntax", f"{what}; use one of {there}")
    return names[number]


def _profile(known: KnownProfile) -> pb.ProviderProfile:
    profile = known.profile
    return pb.ProviderProfile(
        id=profile.id,
        version=profile.version,
        title=profile.title,
        provider=profile.provider,
        as_of=profile.as_of,
        origin=pb.ProfileOrigin.Value(f"PROFILE_ORIGIN_{known.origin}"),
        enforces=profile.enforces,
        surfaces=profile.envelopes,
        put_by=known.put_by,
        put_at=None if known.put_at is None else convert.timestamp(known.put_at),
    )


def _report(report: ProfileReport) -> pb.ProfileReport:
    return pb.ProfileReport(
        profile=report.profile,
        profile_version=report.profile_version,
        fit=pb.ProfileFit.Value(f"PROFILE_FIT_{report.fit}"),
        findings=_findings(report),
        budgets=[
            pb.ProfileBudget(measure=b.measure, used=b.used, most=b.most, per_request=b.per_request)
            for b in report.budgets
        ],
        not_guaranteed=report.not_guaranteed,
        truncated=report.truncated,
    )


def _findings(report: ProfileReport) -> Iterable[pb.ProfileFinding]:
    for found in report.findings:
        yield pb.ProfileFinding(
            pointer=found.pointer,
            keyword=found.keyword,
            rule=found.rule,
            support=pb.ProviderSupport.Value(f"PROVIDER_SUPPORT_{found.support}"),
            message=found.message,
            basis=pb.EvidenceBasis.Value(f"EVIDENCE_BASIS_{found.basis}"),
            source=found.source,
            as_of=found.as_of,
        )


def _loss(loss: CompileLoss) -> pb.CompileLoss:
    return pb.CompileLoss(
        effect=pb.LossEffect.Value(f"LOSS_EFFECT_{loss.effect}"),
        pointer=loss.pointer,
        keyword=loss.keyword,
        message=loss.message,
        proof=pb.LossProof.Value(f"LOSS_PROOF_{loss.proof}"),
        witness=loss.witness,
        in_compiled=loss.in_compiled,
        basis=pb.EvidenceBasis.Value(f"EVIDENCE_BASIS_{loss.basis}"),
        source=loss.source,
        as_of=loss.as_of,
    )


def _check(check: AnswerCheck) -> pb.AnswerCheck:
    return pb.AnswerCheck(pointer=check.pointer, keyword=check.keyword, message=check.message)


def _verdict(judged: JudgedVersion) -> pb.ProfileVerdict:
    version, verdict = judged.version, judged.verdict
    return pb.ProfileVerdict(
        schema_id=version.schema_id,
        subject=str(version.subject),
        version=str(version.version),
        ordinal=version.ordinal,
        profile_version=verdict.profile_version,
        fit=pb.ProfileFit.ValueType(verdict.fit),
        pointer=verdict.pointer,
        keyword=verdict.keyword,
        rule=verdict.rule,
        message=verdict.message,
        findings=verdict.findings,
    )
