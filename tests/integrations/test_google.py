"""generateContent of Gemini: with the package `google-genai`, against a provider that refuses what Gemini refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.integrations import AnswerRefused, NoAnswer
from llm_schema_registry.integrations.google import GenerateContract

from .kit import VALUE, WRONG, library, text

QUESTION = {"role": "user", "parts": [{"text": "Write a ticket."}]}


@pytest.fixture
def genai() -> Any:
    return library("google.genai")


@pytest.fixture
def models(genai: Any, provider: Any) -> Iterator[Any]:
    options = {"base_url": provider.url, "api_version": "v1beta"}
    with genai.Client(api_key="none", http_options=options) as made:
        yield made


@pytest.fixture(params=[False, True], ids=["response", "tool"])
def contract(request: pytest.FixtureRequest, registry: SchemaRegistry, ticket: str) -> GenerateContract:
    return GenerateContract.load(registry, f"{ticket}@^1", tool=request.param)


def ask(models: Any, contract: GenerateContract, *contents: Any) -> Any:
    return models.models.generate_content(model="fake", contents=list(contents), config=contract.request())


def test_the_compiled_form_is_taken_and_its_answer_decoded(
    models: Any, contract: GenerateContract, provider: Any
) -> None:
    provider.will_answer(text(contract.encode(VALUE)))

    assert contract.parse(ask(models, contract, QUESTION)) == VALUE


def test_an_answer_that_is_not_valid_is_asked_for_again(
    models: Any, contract: GenerateContract, provider: Any
) -> None:
    provider.will_answer(text(contract.encode(WRONG)), text(contract.encode(VALUE)))

    with pytest.raises(AnswerRefused, match="/tags") as refused:
        contract.parse(ask(models, contract, QUESTION))
    assert contract.parse(ask(models, contract, QUESTION, *refused.value.messages)) == VALUE
    assert [turn["role"] for turn in provider.asked[-1]["contents"]] == ["user", "model", "user"]
    assert refused.value.text in str(provider.asked[-1]["contents"][-1])


def test_a_stream_ends_where_its_answer_dies(
    models: Any, registry: SchemaRegistry, ticket: str, provider: Any
) -> None:
    contract = GenerateContract.load(registry, ticket)
    wrong = text(contract.encode(WRONG))
    provider.will_answer(wrong, text(contract.encode(VALUE)))

    def stream(*contents: Any) -> Any:
        return models.models.generate_content_stream(
            model="fake", contents=list(contents), config=contract.request()
        )

    with pytest.raises(AnswerRefused, match="/tags") as refused:
        contract.guard(stream(QUESTION)).run()
    assert refused.value.byte_offset == wrong.index("]")
    assert provider.stopped.wait(30)
    assert contract.guard(stream(QUESTION, *refused.value.messages)).run() == VALUE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            {"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "{"}]}}]},
            "MAX_TOKENS",
        ),
        ({"candidates": [], "promptFeedback": {"blockReason": "SAFETY"}}, "SAFETY"),
        ({"candidates": [{"finishReason": "STOP", "content": {"parts": []}}]}, "empty"),
    ],
)
def test_a_response_without_an_answer_says_why(
    genai: Any, registry: SchemaRegistry, ticket: str, answer: dict[str, Any], reason: str
) -> None:
    contract = GenerateContract.load(registry, ticket)

    with pytest.raises(NoAnswer) as none:
        contract.parse(genai.types.GenerateContentResponse.model_validate(answer))
    assert none.value.reason == reason
