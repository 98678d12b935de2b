"""From the messages of ProviderService to frozen values."""

from __future__ import annotations

from ._decode import time, validation_report
from .enums import (
    EvidenceBasis,
    GrammarSyntax,
    LossEffect,
    LossProof,
    ProfileFit,
    ProfileOrigin,
    ProviderSupport,
    Verdict,
)
from .results import (
    AnswerCheck,
    CompileLoss,
    DecodedAnswer,
    ProfileBudget,
    ProfileCheck,
    ProfileDocument,
    ProfileFinding,
    ProfileReport,
    ProfileVerdict,
    ProviderForm,
    ProviderGrammar,
    ProviderProfile,
    PutProfile,
    VerdictPage,
)
from .v1 import providers_pb2 as pb


def profiles(m: pb.ListProfilesResponse) -> tuple[ProviderProfile, ...]:
    return tuple(map(_profile, m.profiles))


def document(m: pb.GetProfileResponse) -> ProfileDocument:
    return ProfileDocument(_profile(m.profile), m.document)


def put(m: pb.PutProfileResponse) -> PutProfile:
    return PutProfile(_profile(m.profile), m.created, m.revision)


def revision(m: pb.DeleteProfileResponse) -> str:
    return m.revision


def check(m: pb.CheckProfileResponse) -> ProfileCheck:
    return ProfileCheck(tuple(map(_report, m.reports)), m.schema_id)


def form(m: pb.CompileForProviderResponse) -> ProviderForm:
    return ProviderForm(
        profile=m.profile,
        profile_version=m.profile_version,
        surface=m.surface,
        name=m.name,
        envelope=m.envelope,
        schema=m.schema,
        fit=ProfileFit(m.fit),
        losses=tuple(map(_loss, m.losses)),
        not_widened=Verdict(m.not_widened),
        not_narrowed=Verdict(m.not_narrowed),
        checks=tuple(AnswerCheck(c.pointer, c.keyword, c.message) for c in m.checks),
        not_guaranteed=tuple(m.not_guaranteed),
        decoder=m.decoder,
        decoded_schema=m.decoded_schema,
        report=_report(m.report),
        schema_id=m.schema_id,
    )


def decoded(m: pb.DecodeAnswerResponse) -> DecodedAnswer:
    return DecodedAnswer(m.data, validation_report(m.report) if m.HasField("report") else None)


def grammar(m: pb.GrammarForResponse) -> ProviderGrammar:
    return ProviderGrammar(
        syntax=GrammarSyntax(m.syntax),
        text=m.text,
        losses=tuple(map(_loss, m.losses)),
        not_widened=Verdict(m.not_widened),
        not_narrowed=Verdict(m.not_narrowed),
        schema_id=m.schema_id,
    )


def verdicts(m: pb.ListProfileVerdictsResponse) -> VerdictPage[ProfileVerdict]:
    page = VerdictPage(map(_verdict, m.verdicts))
    page.next_page_token, page.complete = m.next_page_token, m.complete
    return page


def _profile(m: pb.ProviderProfile) -> ProviderProfile:
    return ProviderProfile(
        id=m.id,
        version=m.version,
        title=m.title,
        provider=m.provider,
        as_of=m.as_of,
        origin=ProfileOrigin(m.origin),
        enforces=m.enforces,
        surfaces=tuple(m.surfaces),
        put_by=m.put_by,
        put_at=time(m, "put_at"),
    )


def _report(m: pb.ProfileReport) -> ProfileReport:
    return ProfileReport(
        profile=m.profile,
        profile_version=m.profile_version,
        fit=ProfileFit(m.fit),
        findings=tuple(
            ProfileFinding(
                pointer=f.pointer,
                keyword=f.keyword,
                rule=f.rule,
                support=ProviderSupport(f.support),
                message=f.message,
                basis=EvidenceBasis(f.basis),
                source=f.source,
                as_of=f.as_of,
            )
            for f in m.findings
        ),
        budgets=tuple(ProfileBudget(b.measure, b.used, b.most, b.per_request) for b in m.budgets),
        not_guaranteed=tuple(m.not_guaranteed),
        truncated=m.truncated,
    )


def _loss(m: pb.CompileLoss) -> CompileLoss:
    return CompileLoss(
        effect=LossEffect(m.effect),
        pointer=m.pointer,
        keyword=m.keyword,
        message=m.message,
        proof=LossProof(m.proof),
        witness=m.witness,
        in_compiled=m.in_compiled,
        basis=EvidenceBasis(m.basis),
        source=m.source,
        as_of=m.as_of,
    )


def _verdict(m: pb.ProfileVerdict) -> ProfileVerdict:
    return ProfileVerdict(
        schema_id=m.schema_id,
        subject=m.subject,
        version=m.version,
        ordinal=m.ordinal,
        profile_version=m.profile_version,
        fit=ProfileFit(m.fit),
        pointer=m.pointer,
        keyword=m.keyword,
        rule=m.rule,
        message=m.message,
        findings=m.findings,
    )
