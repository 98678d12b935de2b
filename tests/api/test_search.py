"""SearchSchemas: words, patterns, filters, pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import AVRO, JSON, V1, V2_COMPATIBLE, avro, closed, delete, refused, register
from .wires import Wire

Name = Callable[[str], str]


@pytest.fixture
def word(wire: Wire, name: Name) -> str:
    """A word that only this test's schemas have; three subjects."""
    word = name("").rstrip(".")
    register(
        wire,
        name("tickets"),
        closed(customer_name={"type": "string"}, priority={"type": "integer"}),
        description=f"Support tickets {word}",
        tags=[word, "prod"],
        metadata={"team": word},
    )
    register(
        wire, name("answers"), closed(reasoning={}), description=word, tags=[word], metadata={"team": word}
    )
    register(
        wire,
        name("rows"),
        avro({"name": "customer_name", "type": "string"}),
        AVRO,
        description=word,
        tags=[word],
    )
    return word


def found(wire: Wire, **fields: Any) -> list[str]:
    answer = wire.call("SearchSchemas", pb.SearchSchemasRequest(**fields))
    assert answer.total_count >= len(answer.schemas)
    return [s.subject.rpartition(".")[2] for s in answer.schemas]


def test_words_are_found_in_descriptions_and_field_names(wire: Wire, word: str) -> None:
    assert sorted(found(wire, query=word)) == ["answers", "rows", "tickets"]
    assert found(wire, query=f"{word} customer_name") == ["rows", "tickets"]
    assert found(wire, query=f"{word} support") == ["tickets"]
    assert found(wire, query=f"{word} SUPP") == ["tickets"]
    assert found(wire, query=f"{word} nowhere") == []


def test_filters_are_all_required(wire: Wire, word: str) -> None:
    assert found(wire, query=word, schema_type=AVRO) == ["rows"]
    assert found(wire, tags=[word, "prod"]) == ["tickets"]
    assert found(wire, metadata_filters={"team": word}) == ["answers", "tickets"]
    assert found(wire, metadata_filters={"team": word}, schema_type=AVRO) == []


def test_subjects_match_a_pattern(wire: Wire, word: str) -> None:
    assert found(wire, subject_pattern=f"{word}.*") == ["answers", "rows", "tickets"]
    assert found(wire, subject_pattern=f"{word}.?ows") == ["rows"]
    assert found(wire, subject_pattern=f"{word}") == []


def test_pages_follow_each_other(wire: Wire, word: str) -> None:
    first = wire.call("SearchSchemas", pb.SearchSchemasRequest(query=word, limit=2))
    rest = wire.call(
        "SearchSchemas", pb.SearchSchemasRequest(query=word, limit=2, page_token=first.next_page_token)
    )

    assert (len(first.schemas), len(rest.schemas), rest.next_page_token) == (2, 1, "")
    assert first.total_count == rest.total_count == 3
    assert found(wire, query=word, offset=1, limit=1) == ["rows"]


def test_the_best_answers_come_first_unless_told_otherwise(wire: Wire, name: Name) -> None:
    word = f"w{uuid4().hex}"
    for subject, about in (
        ("a", {"description": word}),
        ("b", {"tags": [word]}),
        (word, {}),
        (f"c.{word}-x", {}),
    ):
        register(wire, name(subject), closed(), **about)

    assert found(wire, query=word) == [word, f"{word}-x", "b", "a"]
    assert found(wire, query=word, order_by=pb.SEARCH_ORDER_RELEVANCE) == found(wire, query=word)
    assert found(wire, query=word, order_by=pb.SEARCH_ORDER_NAME)[:2] == ["a", "b"]


def test_a_page_token_goes_on_in_the_order_of_its_page(wire: Wire, word: str) -> None:
    by_name = pb.SearchSchemasRequest(query=word, limit=1, order_by=pb.SEARCH_ORDER_NAME)
    orders = {}
    for first in (by_name, pb.SearchSchemasRequest(query=word, limit=1)):
        got = []
        answer = wire.call("SearchSchemas", first)
        while True:
            got += [s.subject.rpartition(".")[2] for s in answer.schemas]
            if not answer.next_page_token:
                break
            next_page = pb.SearchSchemasRequest(query=word, limit=1, page_token=answer.next_page_token)
            answer = wire.call("SearchSchemas", next_page)
        orders[first.order_by] = got

    assert orders[pb.SEARCH_ORDER_NAME] == ["answers", "rows", "tickets"]
    assert orders[pb.SEARCH_ORDER_UNSPECIFIED] == found(wire, query=word)


def test_a_token_of_a_ranked_page_is_for_a_search_with_words(wire: Wire, word: str) -> None:
    first = wire.call("SearchSchemas", pb.SearchSchemasRequest(query=word, limit=1))
    wordless = pb.SearchSchemasRequest(tags=[word], page_token=first.next_page_token)

    refused(wire, "SearchSchemas", wordless, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "page_token")
    listed = pb.ListSubjectsRequest(page_token=first.next_page_token)
    refused(wire, "ListSubjects", listed, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "page_token")


def test_a_typo_finds_nothing_and_is_told_what_may_be_meant(wire: Wire, name: Name) -> None:
    register(wire, name("s"), closed(hippopotamus={}), description="of the zoo")
    near = pb.SearchSchemasRequest(query="hipopotamus Zoo")
    elsewhere = pb.SearchSchemasRequest(query="hipopotamus", schema_type=AVRO)

    answer = wire.call("SearchSchemas", near)
    assert (answer.total_count, answer.did_you_mean) == (0, "hippopotamus zoo")
    assert found(wire, query=answer.did_you_mean, subject_pattern=name("*")) == ["s"]
    assert wire.call("SearchSchemas", elsewhere).did_you_mean == ""
    assert wire.call("SearchSchemas", pb.SearchSchemasRequest(query="hippopotamus")).did_you_mean == ""


def test_only_the_latest_version_when_asked_for(wire: Wire, name: Name) -> None:
    register(wire, name("s"), V1, tags=[name("t")])
    register(wire, name("s"), V2_COMPATIBLE, tags=[name("t")])

    assert len(found(wire, tags=[name("t")])) == 2
    assert len(found(wire, tags=[name("t")], latest_only=True)) == 1


def test_hidden_versions_are_not_found(wire: Wire, name: Name) -> None:
    delete(wire, register(wire, name("s"), tags=[name("t")]).schema_id)

    assert found(wire, tags=[name("t")]) == []


@pytest.mark.parametrize(
    "query",
    ['"', "'; DROP TABLE x; --", "a AND", "NEAR(", "*", "(((", "a:b", "-x", "\u0000", "😀", "x" * 400, "%_"],
)
def test_a_query_of_any_characters_is_just_words(wire: Wire, name: Name, query: str) -> None:
    register(wire, name("s"), schema_type=JSON)

    wire.call("SearchSchemas", pb.SearchSchemasRequest(query=query, subject_pattern=name("s")))


def test_a_query_of_ten_thousand_characters_is_refused(wire: Wire) -> None:
    request = pb.SearchSchemasRequest(query="x" * 10_000)

    refused(wire, "SearchSchemas", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "query")
