"""One list of error reasons: the proto, the server's classes, the SDK's classes and docs/errors.md say the same."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import llm_schema_engines
import llm_schema_registry_server
from llm_schema_registry.errors import BY_REASON
from llm_schema_registry.v1 import errors_pb2
from llm_schema_registry_server.calls.failure import INTERNAL_REASON
from llm_schema_registry_server.errors import RegistryError
from llm_schema_registry_server.storage.archive import StoreNotEmpty
from llm_schema_registry_server.storage.leases import LeaseLost

DOCS = Path(__file__).parents[2] / "docs"
REASONS = {
    value.name.removeprefix("ERROR_REASON_")
    for value in errors_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values
    if value.number
}
NEVER_ANSWERED = {StoreNotEmpty, LeaseLost}
"""What only a command beside the server, or work in the background, can raise; no wire carries it."""


def family(kind: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for child in kind.__subclasses__():
        yield child
        yield from family(child)


@pytest.fixture(scope="module")
def server_errors() -> list[type[RegistryError]]:
    """Every error class of the server and the engines, wherever it is defined."""
    for package in (llm_schema_engines, llm_schema_registry_server):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    ours = (llm_schema_engines.__name__, llm_schema_registry_server.__name__)
    return [k for k in family(RegistryError) if k.__module__.startswith(ours) and k not in NEVER_ANSWERED]


def test_the_proto_lists_what_the_server_answers(server_errors: list[type[RegistryError]]) -> None:
    assert {kind.reason for kind in server_errors} | {INTERNAL_REASON} == REASONS


def test_every_class_of_the_server_has_a_reason_of_its_own(server_errors: list[type[RegistryError]]) -> None:
    reasons = [kind.__dict__["reason"] for kind in server_errors]

    assert len(reasons) == len(set(reasons))


def test_the_sdk_has_a_class_for_every_reason() -> None:
    assert set(BY_REASON) == REASONS


def test_the_sdk_has_the_codes_of_the_server(server_errors: list[type[RegistryError]]) -> None:
    theirs = {kind.reason: int(kind.code) for kind in server_errors}

    assert {reason: int(BY_REASON[reason].CODE) for reason in theirs} == theirs


def test_the_page_explains_every_reason() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| \w+ \| \d+ \| (.+) \|$", (DOCS / "errors.md").read_text(), re.MULTILINE
    )

    assert {reason for reason, _ in rows} == REASONS
    assert all(meaning.endswith(".") for _, meaning in rows)
