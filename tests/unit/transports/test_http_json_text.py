"""JSON of bodies is read strictly, within bounds that are checked before, and large bodies as small ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.transports.http.json_in import request_message
from llm_schema_registry_server.transports.http.json_text import MOST_ESCAPES, decode, encode
from llm_schema_registry_server.transports.http.routes import Routes
from tests.unit.transports.toy import METHODS

REGISTER = Routes(METHODS).match("POST", "/api/v1/schemas")[0]
MANY = 30_000
"""More values than are read in one step."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    [
        {"a": [{"b": [1, -2.5, None, True, "é\n\"\\", {}, []]}] * 5_000},
        {f"k{i}": [i, {"x": str(i)}] for i in range(MANY)},
        [[]] * MANY,
        list(range(MANY)),
    ],
    ids=["nested", "members", "lists", "numbers"],
)  # fmt: skip
def test_a_body_of_many_values_is_read_and_written_as_a_small_one(value: Any) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "'a' comes twice"),
        ("NaN", "NaN is not JSON"),
        ("1e999", "out of range"),
        ('"\\ud800"', "half of a surrogate pair"),
        ('{"\\ud800": 1}', "half of a surrogate pair"),
        ('"a', "not JSON"),
        ("[" * 5_000, "nested too deeply"),
    ],
)
def test_faults_are_told_in_small_and_large_bodies(text: str, why: str, *, many: bool) -> None:
    body = f"[{'0,' * MANY if many else ''}{text}" + "]"

    with pytest.raises(InvalidRequest, match=why):
        decode(body.encode())


def test_a_key_twice_among_many_is_found() -> None:
    members = ",".join(f'"k{i}":1' for i in range(MANY))

    with pytest.raises(InvalidRequest, match="'k7' comes twice"):
        decode(f'{{{members},"k7":1}}'.encode())


@pytest.mark.parametrize("most", [1_000, 25_000])
def test_values_are_counted_outside_of_texts_before_anything_is_read(most: int) -> None:
    values = json.dumps({"schema": [0] * MANY}).encode()
    text = json.dumps({"schema": '[{"a",' * MANY}).encode()

    with pytest.raises(InvalidRequest, match=rf"more than {most} JSON values.*http\.max_values"):
        request_message(REGISTER, {}, "", values, most_values=most)
    assert request_message(REGISTER, {}, "", text, most_values=most)


def test_a_text_of_nothing_but_escapes_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=f"the limit is {MOST_ESCAPES}"):
        decode(b'"' + b"\\n" * (MOST_ESCAPES + 1) + b'"')


@pytest.mark.parametrize(
    "tree", [{"subject": "s" * 70_000}, {"tags": ["t" * 70_000]}, {"metadata": {"k" * 70_000: ""}}]
)
def test_a_long_text_is_refused_by_its_field(tree: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"70000 characters.*the limit of a text is 65536") as caught:
        request_message(REGISTER, {}, "", json.dumps(tree).encode())

    assert next(iter(tree)) in caught.value.message


def test_base64_with_padding_inside_is_none() -> None:
    with pytest.raises(InvalidRequest, match="base64"):
        request_message(REGISTER, {}, "", json.dumps({"schema_content": "AA==" * 300_000}).encode())


def test_the_place_of_half_a_pair_is_told_without_its_whole_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(('{"' + "k" * 100_000 + '": [1, "\\ud800"]}').encode())

    assert len(caught.value.message) < 300
    assert "[1]" in caught.value.message
