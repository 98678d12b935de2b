"""What the server does with names, patterns, words and bodies of requests before anything else."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_registry_server.errors import RegistryError
from llm_schema_registry_server.model import pattern
from llm_schema_registry_server.model.selector import parse_selector
from llm_schema_registry_server.storage.search import literal_prefix, prefix_end, words_of
from llm_schema_registry_server.transports.http.json_in import request_message
from llm_schema_registry_server.transports.http.routes import Routes
from tests.unit.transports.toy import METHODS

from .measure import LIMIT, memory_growth, time_growth

Run = Callable[[Any], object]
REGISTER = Routes(METHODS).match("POST", "/api/v1/schemas")[0]


def request(tree: Any) -> None:
    with contextlib.suppress(RegistryError):
        request_message(REGISTER, {}, "", json.dumps(tree).encode())


def query(text: str) -> None:
    with contextlib.suppress(RegistryError):
        request_message(REGISTER, {}, text, b"")


def select(text: str) -> None:
    with contextlib.suppress(RegistryError):
        parse_selector(text)


CASES: dict[str, tuple[Callable[[int], Any], Run]] = {
    "the end of a prefix of last characters": (lambda n: "a" + chr(sys.maxunicode) * n, prefix_end),
    "the literal part of stars": (lambda n: "*" * n, literal_prefix),
    "a pattern of stars": (lambda n: "*a" * (n // 2), lambda p: pattern.matches(p, "a" * 255)),
    "words": (lambda n: "a_bC-" * (n // 5), words_of),
    "one word": (lambda n: "aB" * (n // 2), words_of),
    "a range of many digits": (lambda n: "^" + "1" * n, select),
    "a version of many parts": (lambda n: "1.0.0-" + "a." * (n // 2), select),
    "parameters": (lambda n: "a=b&" * (n // 4), query),
    "percent signs": (lambda n: "subject=" + "%" * n, query),
    "a parameter of many parts": (lambda n: "a." * (n // 2) + "=1", query),
    "tags": (lambda n: {"tags": ["t"] * (n // 5)}, request),
    "references": (lambda n: {"references": [{"name": "a"}] * (n // 14)}, request),
    "metadata": (lambda n: {"metadata": {f"k{i}": "v" for i in range(n // 10)}}, request),
    # Large bodies are read with more checks than small ones, so both are large.
    "unknown fields": (lambda n: {"k": "v" * 300_000, **{f"k{i}": "v" for i in range(n // 10)}}, request),
    "a long unknown field": (lambda n: {"k" * n: [[]]}, request),
    "a schema of many values": (lambda n: {"schema": {"enum": [[i] for i in range(n // 6)]}}, request),
    "a schema of brackets": (lambda n: {"schema": [[]] * (n // 4)}, request),
    "a schema with a long name": (lambda n: {"schema": {"k" * (n // 2): [1] * (n // 4)}}, request),
    "half of a pair behind a long name": (
        lambda n: {"schema": {"k" * (n // 2): [*([1] * (n // 4)), "\ud800"]}},
        request,
    ),
    "a long text": (lambda n: {"subject": "s" * n}, request),
    "base64 that is none": (lambda n: {"schema_content": "=" * n}, request),
    "an enumeration": (lambda n: {"schema_type": "J" * n}, request),
}


@pytest.mark.parametrize("name", CASES)
def test_time_grows_with_the_request(name: str) -> None:
    make, run = CASES[name]

    assert time_growth(make, run, 2_000, 600_000) <= LIMIT


@pytest.mark.parametrize("name", CASES)
def test_memory_grows_with_the_request(name: str) -> None:
    make, run = CASES[name]

    assert memory_growth(make, run, 4_000) <= LIMIT
