"""ProviderService over every wire: schemas checked, compiled and written as grammars for providers; answers decoded; own profiles."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_schema_engines import Decoder, check_for, compile_for, provider_profiles
from llm_schema_registry.v1 import audit_pb2, config_pb2, lifecycle_pb2, tools_pb2
from llm_schema_registry.v1 import providers_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb
from llm_schema_registry_server.errors import Unavailable
from llm_schema_registry_server.registry.profiles import read_files
from tests.support.profiles import ENFORCED, REJECTED, profile

from .helpers import AVRO, AVRO_V1, refused, register
from .server import ServerProcess
from .wires import CallFailed, GrpcWire, HttpWire, Wire

Name = Callable[[str], str]
ORDER = json.dumps(
    {
        "title": "place_order",
        "type": "object",
        "properties": {
            "zip": {"type": "string", "minLength": 5},
            "amount": {"type": "integer", "minimum": 1, "maximum": 5},
            "tags": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["zip", "amount"],
        "additionalProperties": False,
    }
).encode()
UNKNOWN_STEP = b'{"format": 1, "codec": {"k": "no"}}'
GIVEN = tools_pb2.SchemaOperand(schema_content=ORDER)


@pytest.fixture
def order(wire: Wire, name: Name) -> str:
    return register(wire, name("order"), ORDER).schema_id


@pytest.fixture
def own(name: Name) -> str:
    """The id of a profile that no other test uses."""
    return name("own").lower()


def put(wire: Wire, own: str, version: int = 1, **keywords: Any) -> pb.PutProfileResponse:
    request = pb.PutProfileRequest(profile=own, document=profile(own, version, **keywords))
    done: pb.PutProfileResponse = wire.call("PutProfile", request)
    return done


def check(
    wire: Wire, operand: tools_pb2.SchemaOperand, *profiles: str, **more: Any
) -> pb.CheckProfileResponse:
    request = pb.CheckProfileRequest(schema=operand, profiles=profiles, **more)
    done: pb.CheckProfileResponse = wire.call("CheckProfile", request)
    return done


def test_a_schema_is_checked_against_every_profile_as_the_engine_does(
    wire: Wire, name: Name, order: str
) -> None:
    answer = check(wire, tools_pb2.SchemaOperand(subject=name("order")))
    shipped = [r for r in answer.reports if r.profile in provider_profiles()]  # other tests may have put some
    expected = check_for(ORDER.decode(), [r.profile for r in shipped])

    assert answer.schema_id == order
    assert [r.profile for r in answer.reports] == sorted(r.profile for r in answer.reports)
    assert list(expected) == sorted(provider_profiles())
    for report in shipped:
        found = expected[report.profile]
        assert pb.ProfileFit.Name(report.fit) == f"PROFILE_FIT_{found.fit}"
        assert [(f.pointer, f.rule, f.message) for f in report.findings] == [
            (f.pointer, f.rule, f.message) for f in found.findings
        ]
        assert list(report.not_guaranteed) == list(found.not_guaranteed)


def test_findings_say_where_and_what_follows(wire: Wire, order: str) -> None:
    (report,) = check(wire, tools_pb2.SchemaOperand(schema_id=order), "anthropic-strict").reports
    (finding,) = (f for f in report.findings if f.keyword == "minLength")

    assert report.fit == pb.PROFILE_FIT_REFUSED
    assert (finding.pointer, finding.rule) == ("/properties/zip/minLength", "keyword/minLength")
    assert finding.support == pb.PROVIDER_SUPPORT_REJECTED
    assert finding.basis == pb.EVIDENCE_BASIS_DOCUMENTED
    assert "refuse the whole request" in finding.message
    assert finding.as_of


def test_findings_beyond_the_limit_are_left_out_the_mildest_first(wire: Wire) -> None:
    whole = check(wire, GIVEN, "anthropic-strict").reports[0]
    (report,) = check(wire, GIVEN, "anthropic-strict", max_findings=1).reports

    assert (len(report.findings), report.truncated) == (1, True)
    assert report.findings[0].support == max(f.support for f in whole.findings)
    assert (report.fit, whole.truncated) == (whole.fit, False)


def test_what_names_no_schema_for_a_provider_is_refused(wire: Wire, name: Name) -> None:
    avro = register(wire, name("avro"), AVRO_V1, AVRO).schema_id
    for operand, field in (
        (tools_pb2.SchemaOperand(), "schema"),
        (tools_pb2.SchemaOperand(schema_id=avro), "schema"),
        (tools_pb2.SchemaOperand(schema_content=AVRO_V1, schema_type=AVRO), "schema"),
        (tools_pb2.SchemaOperand(schema_content=b"{}", subject="s"), "schema.schema_content"),
    ):
        for rpc, request in (
            ("CheckProfile", pb.CheckProfileRequest(schema=operand)),
            ("CompileForProvider", pb.CompileForProviderRequest(schema=operand, profile="cohere")),
            ("GrammarFor", pb.GrammarForRequest(schema=operand, syntax=pb.GRAMMAR_SYNTAX_GBNF)),
        ):
            error = refused(wire, rpc, request, "INVALID_ARGUMENT", "INVALID_REQUEST")
            assert field in error.fields, (rpc, error)
    bad = pb.CheckProfileRequest(schema=tools_pb2.SchemaOperand(schema_content=b'{"type": 7}'))
    refused(wire, "CheckProfile", bad, "INVALID_ARGUMENT", "INVALID_SCHEMA")


def test_an_unknown_profile_is_told_with_those_that_there_are(wire: Wire) -> None:
    for rpc, request in (
        ("GetProfile", pb.GetProfileRequest(profile="opanai")),
        ("CheckProfile", pb.CheckProfileRequest(schema=GIVEN, profiles=["opanai"])),
        ("CompileForProvider", pb.CompileForProviderRequest(schema=GIVEN, profile="opanai")),
        ("ListProfileVerdicts", pb.ListProfileVerdictsRequest(profile="opanai")),
    ):
        assert "openai-strict" in refused(wire, rpc, request, "NOT_FOUND", "PROFILE_NOT_FOUND").message


def test_a_compiled_form_is_that_of_the_engine_and_its_decoder_works_on_both_sides(
    wire: Wire, name: Name, order: str
) -> None:
    request = pb.CompileForProviderRequest(
        schema=tools_pb2.SchemaOperand(schema_id=order), profile="anthropic-strict", description="Orders."
    )
    form = wire.call("CompileForProvider", request)
    here = compile_for(ORDER.decode(), "anthropic-strict", description="Orders.")

    assert (form.envelope, form.schema, form.name) == (here.envelope, here.schema, "place_order")
    assert json.loads(form.envelope)["description"] == "Orders."
    (loss,) = form.losses
    assert (loss.effect, loss.pointer) == (pb.LOSS_EFFECT_WIDENED, "/properties/zip/minLength")
    assert loss.proof == pb.LOSS_PROOF_WITNESS
    assert form.not_widened == registry_pb.VERDICT_NO
    assert form.not_narrowed == registry_pb.VERDICT_YES
    assert [c.pointer for c in form.checks] == [c.pointer for c in here.checks]
    assert form.schema_id == order
    validity = registry_pb.ValidateDataRequest(schema_id=order, data=loss.witness.encode())
    assert not wire.call("ValidateData", validity).valid

    answer = b'{"zip": "12345", "amount": 2, "tags": [{"key": "gift", "value": 1}]}'
    decoded = wire.call(
        "DecodeAnswer", pb.DecodeAnswerRequest(decoder=form.decoder, data=answer, subject=name("order"))
    )
    assert json.loads(decoded.data) == {"zip": "12345", "amount": 2, "tags": {"gift": 1}}
    assert decoded.data == Decoder(json.loads(form.decoder)).decode(answer)
    assert decoded.report.valid

    short = b'{"zip": "1", "amount": 2, "tags": []}'
    judged = wire.call(
        "DecodeAnswer", pb.DecodeAnswerRequest(decoder=form.decoder, data=short, schema_id=order)
    )
    assert [e.path for e in judged.report.errors] == ["/zip"]
    alone = wire.call("DecodeAnswer", pb.DecodeAnswerRequest(decoder=form.decoder, data=short))
    assert not alone.HasField("report")


def test_a_decoder_that_nobody_made_and_an_answer_that_fits_it_not_are_refused(wire: Wire) -> None:
    loop = {"format": 1, "codec": {"k": "ref", "name": "a"}, "definitions": {"a": {"k": "ref", "name": "a"}}}
    for decoder in (b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1, "codec": 7}', UNKNOWN_STEP):
        request = pb.DecodeAnswerRequest(decoder=decoder, data=b"{}")
        refused(wire, "DecodeAnswer", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "decoder")
    for decoder, data in ((json.dumps(loop).encode(), b"{}"), (b'{"format": 1}', b"{")):
        request = pb.DecodeAnswerRequest(decoder=decoder, data=data)
        refused(wire, "DecodeAnswer", request, "INVALID_ARGUMENT", "DATA_REFUSED")


def test_a_schema_under_which_nothing_is_valid_has_no_form(wire: Wire) -> None:
    request = pb.CompileForProviderRequest(
        schema=tools_pb2.SchemaOperand(schema_content=b'{"enum": [1], "type": "string"}'),
        profile="openai-strict",
    )

    refused(wire, "CompileForProvider", request, "INVALID_ARGUMENT", "CONVERSION_REFUSED")


@pytest.mark.parametrize("syntax", ["GBNF", "LARK", "REGEX"])
def test_a_grammar_is_written(wire: Wire, syntax: str) -> None:
    number = pb.GrammarSyntax.Value(f"GRAMMAR_SYNTAX_{syntax}")
    answer = wire.call("GrammarFor", pb.GrammarForRequest(schema=GIVEN, syntax=number))

    assert answer.text
    assert answer.syntax == number
    assert (answer.not_widened, answer.not_narrowed) != (0, 0)


def test_bounds_of_a_request_are_told(wire: Wire) -> None:
    for rpc, request, field in (
        ("CheckProfile", pb.CheckProfileRequest(schema=GIVEN, max_findings=501), "max_findings"),
        ("CheckProfile", pb.CheckProfileRequest(schema=GIVEN, tool_name="a" * 201), "tool_name"),
        (
            "CompileForProvider",
            pb.CompileForProviderRequest(schema=GIVEN, profile="cohere", prove_seconds=99),
            "prove_seconds",
        ),
        (
            "CompileForProvider",
            pb.CompileForProviderRequest(schema=GIVEN, profile="cohere", surface="telegram"),
            "surface",
        ),
        ("GrammarFor", pb.GrammarForRequest(schema=GIVEN), "syntax"),
        ("ListProfileVerdicts", pb.ListProfileVerdictsRequest(profile="cohere", fit=9), "fit"),  # type: ignore[arg-type]
    ):
        refused(wire, rpc, request, "INVALID_ARGUMENT", "INVALID_REQUEST", field)
    token = pb.ListProfileVerdictsRequest(profile="cohere", page_token="?")
    refused(wire, "ListProfileVerdicts", token, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


# -- own profiles


def test_an_own_profile_behaves_as_one_that_comes_with_the_server(wire: Wire, own: str) -> None:
    done = put(wire, own, minLength=REJECTED)

    assert (done.created, done.profile.origin) == (True, pb.PROFILE_ORIGIN_STORED)
    assert done.profile.put_by
    (report,) = check(wire, GIVEN, own).reports
    (finding,) = report.findings
    assert (report.fit, finding.pointer) == (pb.PROFILE_FIT_REFUSED, "/properties/zip/minLength")
    assert finding.source == "The manual of our gateway"
    form = wire.call("CompileForProvider", pb.CompileForProviderRequest(schema=GIVEN, profile=own))
    assert "minLength" not in form.schema
    listed = {p.id: p for p in wire.call("ListProfiles", pb.ListProfilesRequest()).profiles}
    assert listed[own] == done.profile
    assert listed["cohere"].origin == pb.PROFILE_ORIGIN_BUILT_IN
    found = wire.call("GetProfile", pb.GetProfileRequest(profile=own))
    assert json.loads(found.document) == json.loads(profile(own, minLength=REJECTED))
    assert own in {r.profile for r in check(wire, GIVEN).reports}

    assert not put(wire, own, minLength=REJECTED).revision, "the same again changes nothing"
    again = put(wire, own, 2)
    assert (again.created, again.profile.version) == (False, 2)
    assert check(wire, GIVEN, own).reports[0].fit == pb.PROFILE_FIT_FITS

    wire.call("DeleteProfile", pb.DeleteProfileRequest(profile=own))
    refused(wire, "GetProfile", pb.GetProfileRequest(profile=own), "NOT_FOUND", "PROFILE_NOT_FOUND")
    refused(wire, "DeleteProfile", pb.DeleteProfileRequest(profile=own), "NOT_FOUND", "PROFILE_NOT_FOUND")


def test_a_dry_run_puts_nothing(wire: Wire, own: str) -> None:
    request = pb.PutProfileRequest(profile=own, document=profile(own), dry_run=True)

    assert wire.call("PutProfile", request).created
    refused(wire, "GetProfile", pb.GetProfileRequest(profile=own), "NOT_FOUND", "PROFILE_NOT_FOUND")


def test_what_is_no_profile_is_refused_with_its_place(wire: Wire, own: str) -> None:
    for document, said in (
        ("", "is not JSON"),
        ("[]", "is no object"),
        (profile(own, minLength=ENFORCED | {"support": "MAYBE"}), "/keywords/minLength"),
        (profile(own, minLength=ENFORCED | {"source": "nowhere"}), "/keywords/minLength"),
        (profile("another"), "give both the same"),
        (profile(own, **{"\ud800": ENFORCED}), "half of a surrogate pair"),
        (profile(own, minLength=ENFORCED | {"note": "\0"}), "NUL"),
    ):
        error = refused(
            wire,
            "PutProfile",
            pb.PutProfileRequest(profile=own, document=document),
            "INVALID_ARGUMENT",
            "INVALID_REQUEST",
        )
        assert said in error.message, error.message


def test_a_profile_is_replaced_by_a_greater_version_only(wire: Wire, own: str) -> None:
    put(wire, own, 3)
    request = pb.PutProfileRequest(profile=own, document=profile(own, 3, minLength=REJECTED))

    error = refused(wire, "PutProfile", request, "INVALID_ARGUMENT", "INVALID_REQUEST")
    assert "greater version" in error.message


@pytest.mark.parametrize("name", ["openai-strict", "grammar"])
def test_a_built_in_profile_is_neither_put_nor_deleted(wire: Wire, name: str) -> None:
    request = pb.PutProfileRequest(profile=name, document=profile(name, 99))

    assert "built in" in refused(wire, "PutProfile", request, "INVALID_ARGUMENT", "INVALID_REQUEST").message
    deletion = pb.DeleteProfileRequest(profile=name)
    assert (
        "built in" in refused(wire, "DeleteProfile", deletion, "INVALID_ARGUMENT", "INVALID_REQUEST").message
    )


def test_a_put_is_a_change_of_the_configuration_and_in_the_audit_log(wire: Wire, own: str) -> None:
    done = put(wire, own)
    assert done.revision

    request = audit_pb2.ListAuditEventsRequest(limit=1000, newest_first=True, operation="PutProfile")
    for _ in range(400):
        events = wire.call("ListAuditEvents", request).events
        if any(e.facts.get("profile") == own for e in events):
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing in the audit log tells of {own}")


# -- the gate of a subject


def demand(wire: Wire, subject: str, *profiles: str, worst: Any = pb.PROFILE_FIT_FITS_WITH_LOSS) -> None:
    config = config_pb2.Config(profiles=config_pb2.ProfileNames(names=profiles), worst_fit=worst)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=subject, config=config))


def registration(subject: str, content: bytes = ORDER, **more: Any) -> registry_pb.RegisterSchemaRequest:
    return registry_pb.RegisterSchemaRequest(
        subject=subject, schema_content=content, schema_type=registry_pb.SCHEMA_TYPE_JSON, **more
    )


def test_a_registration_that_a_demanded_provider_would_refuse_is_refused(wire: Wire, name: Name) -> None:
    subject = name("gated")
    demand(wire, subject, "mistral", "anthropic-strict", worst=pb.PROFILE_FIT_UNKNOWN)
    for request in (registration(subject), registration(subject, dry_run=True)):
        error = refused(wire, "RegisterSchema", request, "FAILED_PRECONDITION", "PROVIDER_REFUSED")
        assert error.metadata["profile"] == "anthropic-strict"
        assert error.metadata["fit"] == "REFUSED"
        assert error.metadata["pointer"] == "/properties/zip/minLength"
        assert error.metadata["rule"] == "keyword/minLength"
        for said in ("anthropic-strict", "/properties/zip/minLength", "change the schema there"):
            assert said in error.message
    fits = b'{"type": "object", "properties": {}, "required": [], "additionalProperties": false}'
    assert wire.call("RegisterSchema", registration(subject, fits)).schema_id


def test_the_worst_result_that_is_accepted_decides(wire: Wire, name: Name, own: str) -> None:
    subject = name("gated")
    accepted = {"support": "ACCEPTED", "basis": "DOCUMENTED", "source": "manual"}
    put(wire, own, minLength=accepted)
    demand(wire, subject, own, worst=pb.PROFILE_FIT_FITS)
    error = refused(wire, "RegisterSchema", registration(subject), "FAILED_PRECONDITION", "PROVIDER_REFUSED")
    assert (error.metadata["fit"], error.metadata["worst_fit"]) == ("FITS_WITH_LOSS", "FITS")

    demand(wire, subject, own, worst=pb.PROFILE_FIT_FITS_WITH_LOSS)
    assert wire.call("RegisterSchema", registration(subject)).schema_id


def test_a_demand_of_a_context_holds_in_it_and_a_subject_takes_it_back(wire: Wire, name: Name) -> None:
    context = "." + name("ctx").replace(".", "-")
    subject = f":{context}:s"
    config = config_pb2.Config(profiles=config_pb2.ProfileNames(names=["anthropic-strict"]))
    wire.call("SetConfig", config_pb2.SetConfigRequest(context=context, config=config))
    refused(wire, "RegisterSchema", registration(subject), "FAILED_PRECONDITION", "PROVIDER_REFUSED")
    demand(wire, subject)

    view = wire.call("GetConfig", config_pb2.GetConfigRequest(subject=subject))
    assert view.config.HasField("profiles")
    assert not view.effective.profiles.names
    assert view.sources["profiles"] == f"subject:{subject}"
    assert wire.call("RegisterSchema", registration(subject)).schema_id


def test_a_draft_passes_the_gate_when_it_is_registered(wire: Wire, name: Name) -> None:
    subject = name("gated")
    demand(wire, subject, "anthropic-strict")
    assert wire.call("RegisterSchema", registration(subject, as_draft=True)).schema_id

    refused(wire, "RegisterSchema", registration(subject), "FAILED_PRECONDITION", "PROVIDER_REFUSED")


def test_a_softly_deleted_version_comes_back_through_the_gate_only(wire: Wire, name: Name) -> None:
    subject = name("gated")
    schema_id = wire.call("RegisterSchema", registration(subject)).schema_id
    wire.call("DeleteSchema", registry_pb.DeleteSchemaRequest(schema_id=schema_id, soft_delete=True))
    demand(wire, subject, "anthropic-strict")
    request = lifecycle_pb2.UndeleteSchemaRequest(schema_id=schema_id)

    error = refused(wire, "UndeleteSchema", request, "FAILED_PRECONDITION", "PROVIDER_REFUSED")
    assert "stays softly deleted" in error.message


def test_a_demand_names_profiles_that_there_are(wire: Wire, name: Name, own: str) -> None:
    for names, place in (
        (["cohere", "nobody"], "[1]"),
        (["No Id"], "[0]"),
        ([f"a{n}" for n in range(21)], ""),
    ):
        config = config_pb2.Config(profiles=config_pb2.ProfileNames(names=names))
        request = config_pb2.SetConfigRequest(subject=name("s"), config=config)
        error = refused(wire, "SetConfig", request, "INVALID_ARGUMENT", "INVALID_REQUEST")
        assert f"config.profiles.names{place}" in error.fields


def test_a_profile_that_is_gone_lets_nothing_pass(wire: Wire, name: Name, own: str) -> None:
    subject = name("gated")
    put(wire, own)
    demand(wire, subject, own)
    wire.call("DeleteProfile", pb.DeleteProfileRequest(profile=own))
    error = refused(wire, "RegisterSchema", registration(subject), "FAILED_PRECONDITION", "PROVIDER_REFUSED")

    assert "there is no profile" in error.message
    assert "put it with" in error.message


def test_a_demand_is_about_json_schemas_alone(wire: Wire, name: Name) -> None:
    subject = name("gated")
    demand(wire, subject, "anthropic-strict", worst=pb.PROFILE_FIT_FITS)

    assert register(wire, subject, AVRO_V1, AVRO).schema_id


# -- the server's settings


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with low limits and with a profile in a file."""
    home = tmp_path_factory.mktemp("strict")
    file = home / "filed.json"
    file.write_text(profile("filed", minLength=REJECTED))
    server = ServerProcess(
        home,
        PROVIDERS__PROFILES="1",
        PROVIDERS__PROFILE_BYTES="3000",
        PROVIDERS__FORM_BYTES="65536",
        PROVIDERS__PROVE_SECONDS="0.5",
        PROVIDERS__FILES=str(file),
    )
    yield server
    assert server.stop() == 0


@pytest.fixture(params=["native", "http"])
def low(request: pytest.FixtureRequest, strict: ServerProcess) -> Iterator[Wire]:
    made: Any = HttpWire(strict.http) if request.param == "http" else GrpcWire("native", strict.grpc)
    yield made
    made.close()


def test_each_limit_is_told_with_its_setting(low: Wire, own: str, strict: ServerProcess) -> None:
    long = json.dumps({"enum": [f"{n:0100}" for n in range(700)]}).encode()
    large = tools_pb2.SchemaOperand(schema_content=long)
    document = profile(own, minLength=ENFORCED | {"note": "x" * 1900})
    asked: list[tuple[str, Any, str, str]] = [
        ("PutProfile", pb.PutProfileRequest(profile=own, document=document), "profile_bytes", "3000"),
        (
            "CompileForProvider",
            pb.CompileForProviderRequest(schema=large, profile="llguidance"),
            "form_bytes",
            "65536",
        ),
        (
            "GrammarFor",
            pb.GrammarForRequest(schema=large, syntax=pb.GRAMMAR_SYNTAX_GBNF),
            "form_bytes",
            "65536",
        ),
        (
            "DecodeAnswer",
            pb.DecodeAnswerRequest(decoder=b" " * 70_000, data=b"1"),
            "form_bytes",
            "65536",
        ),
        (
            "CompileForProvider",
            pb.CompileForProviderRequest(schema=GIVEN, profile="cohere", prove_seconds=0.6),
            "prove_seconds",
            "0.5",
        ),
    ]
    for rpc, request, setting, value in asked:
        with pytest.raises(CallFailed, match=rf"providers\.{setting}") as caught:
            low.call(rpc, request)
        assert value in caught.value.message


def test_no_more_profiles_are_stored_than_the_settings_allow(low: Wire, own: str) -> None:
    put(low, own)
    another = pb.PutProfileRequest(profile=f"{own}.b", document=profile(f"{own}.b"))
    error = refused(low, "PutProfile", another, "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    assert "providers.profiles" in error.message

    put(low, own, 2)
    low.call("DeleteProfile", pb.DeleteProfileRequest(profile=own))


def test_a_profile_of_a_file_behaves_as_one_that_comes_with_the_server(low: Wire, name: Name) -> None:
    (report,) = check(low, GIVEN, "filed").reports
    found = low.call("GetProfile", pb.GetProfileRequest(profile="filed"))
    request = pb.PutProfileRequest(profile="filed", document=profile("filed", 7))

    assert report.fit == pb.PROFILE_FIT_REFUSED
    assert found.profile.origin == pb.PROFILE_ORIGIN_FILE
    error = refused(low, "PutProfile", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "profile")
    assert "providers.files" in error.message
    demand(low, name("gated"), "filed")
    refused(low, "RegisterSchema", registration(name("gated")), "FAILED_PRECONDITION", "PROVIDER_REFUSED")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON"), (profile("cohere"), "built in"), (None, "No such file")],
)
def test_a_file_that_is_no_profile_keeps_the_server_from_starting(
    tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "bad.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(Unavailable, match=said) as caught:
        read_files([str(file)])
    assert str(file) in caught.value.message
