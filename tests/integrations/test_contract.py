"""What all integrations have in common: which version a contract is of, and what it makes of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry import (
    AsyncSchemaRegistry,
    ProfileNotFound,
    SchemaRegistry,
    SubjectNotFound,
    VersionNotFound,
)
from llm_schema_registry.integrations import AnswerRefused, Contract, NoAnswer
from tests.api.server import ServerProcess

from .kit import TICKET, VALUE, WRONG


@pytest.fixture
def contract(registry: SchemaRegistry, ticket: str) -> Contract:
    return Contract.load(registry, f"{ticket}@^1", profile="openai-strict")


@pytest.mark.parametrize("schema", ["a@b.{}@^1", ("a@b.{}", 1), "a@b.{}@latest"])
def test_a_version_is_named_in_one_word(registry: SchemaRegistry, subject: str, schema: Any) -> None:
    name = f"a@b.{subject}"
    registry.register_schema(name, {"type": "object", "properties": {"id": {"type": "integer"}}})
    wanted = schema.format(subject) if isinstance(schema, str) else (name, schema[1])

    found = Contract.load(registry, wanted, profile="openai-strict")
    assert (found.schema.subject, found.schema.version) == (name, "1.0.0")
    again = Contract.load(registry, found.schema, profile="openai-strict", tool=True)
    assert (again.schema.id, again.is_tool, found.is_tool) == (found.schema.id, True, False)


def test_what_is_not_there_is_told(registry: SchemaRegistry, ticket: str) -> None:
    with pytest.raises(SubjectNotFound):
        Contract.load(registry, "nothing.like.it", profile="openai-strict")
    with pytest.raises(VersionNotFound):
        Contract.load(registry, f"{ticket}@^7", profile="openai-strict")
    with pytest.raises(ProfileNotFound):
        Contract.load(registry, ticket, profile="nobody")
    with pytest.raises(TypeError, match="schema: a name such as"):
        Contract.load(registry, 7, profile="openai-strict")  # type: ignore[arg-type]


def test_the_name_is_the_title_or_the_end_of_the_subject(
    registry: SchemaRegistry, ticket: str, subject: str
) -> None:
    registry.register_schema(f"team/{subject}", {"type": "object"})

    assert Contract.load(registry, ticket, profile="openai-strict").name == "Ticket"
    assert Contract.load(registry, ticket, profile="openai-strict", name="save it").name == "save_it"
    tool = Contract.load(
        registry, f"team/{subject}", profile="openai-strict", tool=True, description="Does it"
    )
    assert (tool.name, tool.envelope["description"]) == (subject.replace(".", "_"), "Does it")


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        ({"tags": ["a", "a"]}, "/tags", "equal"),
        ({"facts": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}, "/facts/1", "is there already"),
        ({"facts": {"plan": "pro"}}, "/facts", "array"),
        ({"order": "7"}, "/order", "ORD"),
    ],
)
def test_errors_are_told_in_the_shape_in_which_the_model_wrote(
    contract: Contract, change: dict[str, Any], path: str, told: str
) -> None:
    with pytest.raises(AnswerRefused, match=told) as refused:
        contract.decode({**contract.encode(VALUE), **change})
    assert [error.path for error in refused.value.errors] == [path]
    assert refused.value.text.startswith(path)
    assert refused.value.byte_offset == -1


@pytest.mark.parametrize("text", ["", "{", "Here it is: {}", "[1]", "\ud800"])
def test_what_is_no_such_document_is_refused(contract: Contract, text: str) -> None:
    with pytest.raises(AnswerRefused) as refused:
        contract.decode(text.encode("utf-8", "surrogatepass"))
    assert refused.value.text
    assert isinstance(refused.value, ValueError)


def test_the_request_to_correct_it_is_bounded(registry: SchemaRegistry, ticket: str) -> None:
    contract = Contract.load(registry, ticket, profile="anthropic", tool=True, reask_tokens=20)

    with pytest.raises(AnswerRefused) as refused:
        contract.decode({"category": "x", "priority": 9, "tags": [1, 1], "facts": {"a": 1}})
    assert refused.value.tokens <= 20
    assert len(refused.value.errors) >= 4


def test_references_to_other_subjects_are_followed(registry: SchemaRegistry, subject: str) -> None:
    money = {
        "type": "object",
        "properties": {"amount": {"type": "integer", "minimum": 1}},
        "required": ["amount"],
    }
    registry.register_schema(f"{subject}.money", money)
    order = {"type": "object", "properties": {"price": {"$ref": "money.json"}}, "required": ["price"]}
    registry.register_schema(subject, order, references=[("money.json", f"{subject}.money")])
    contract = Contract.load(registry, subject, profile="openai-strict")

    assert contract.decode({"price": {"amount": 1}}) == {"price": {"amount": 1}}
    with pytest.raises(AnswerRefused, match="/price/amount"):
        contract.decode({"price": {"amount": 0}})


def test_streams_of_plain_text_are_judged_too(contract: Contract) -> None:
    good, wrong = json.dumps(contract.encode(VALUE)), json.dumps(contract.encode(WRONG))

    assert contract.guard(good).run() == VALUE
    with pytest.raises(AnswerRefused) as refused:
        contract.guard(wrong).run()
    assert refused.value.answer == wrong[: refused.value.byte_offset + 1]
    with pytest.raises(NoAnswer, match="empty"):
        contract.guard([]).run()
    with pytest.raises(AnswerRefused):
        contract.guard(good[:-5]).run()


async def test_a_large_answer_does_not_hold_up_the_loop(server: ServerProcess, ticket: str) -> None:
    async with AsyncSchemaRegistry(server.grpc) as registry:
        contract = await Contract.load_async(registry, ticket, profile="anthropic", tool=True)
    large = {**VALUE, "tags": [f"tag {number}" for number in range(5000)]}

    assert await contract.decode_async(contract.encode(large)) == large
    with pytest.raises(AnswerRefused, match="/tags"):
        await contract.decode_async({**large, "tags": large["tags"] * 2})
    assert (await contract.decode_async(contract.encode(VALUE)))["category"] == TICKET["properties"][
        "category"
    ]["enum"][0]
