"""What answers are corrected by, as a setting of a subject."""

from __future__ import annotations

from pathlib import Path

from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.v1 import answers_pb2, config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import FakeRegistry, answers


def view(*kinds: answers_pb2.Coercion.ValueType) -> config_pb2.SetConfigResponse:
    config = config_pb2.Config(coercions=config_pb2.CoercionPolicy(kinds=kinds))
    return config_pb2.SetConfigResponse(config=config, effective=config, sources={"coercions": "subject:o"})


def test_kinds_are_set_all_of_them_or_none(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("SetConfig", answers(view(8, 2)), answers(view()))
    fake.script("ListVersions", answers(pb.ListVersionsResponse()))
    shown = cli("config", "set", "o", "--coercion", "date", "--coercion", "enum_case").out
    taken_back = cli("config", "set", "o", "--coercion", "none").out
    cli("config", "set", "o", "--coercion", "all")

    sent = [call.request.config.coercions for call in fake.calls["SetConfig"]]
    assert [list(policy.kinds) for policy in sent] == [[8, 2], [], [1, 2, 3, 4, 5, 6, 7, 8]]
    assert shown.splitlines()[-1].split() == ["coercions", "DATE,", "ENUM_CASE", "subject:o"]
    assert taken_back.splitlines()[-1].split() == ["coercions", "none", "subject:o"]


def test_coerce_leaves_the_kinds_to_the_subject(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text("{}")
    fake.script("GetSchemaByVersion", answers(pb.GetSchemaResponse(schema=pb.SchemaInfo(id="id"))))
    report = pb.ValidationReport(valid=True)
    fake.script(
        "CoerceAnswer", answers(answers_pb2.CoerceAnswerResponse(data=b"{}", patch="[]", report=report))
    )

    assert cli("coerce", "o", str(tmp_path / "answer.json")).code == Exit.OK
    assert not fake.calls["CoerceAnswer"][0].request.kinds
    assert cli("coerce", "--schema", str(tmp_path / "answer.json"), "-").code == Exit.USAGE
