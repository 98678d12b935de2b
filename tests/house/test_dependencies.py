"""What shipped code imports is declared, and what is declared is imported: package by package, extra by extra."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = frozenset({"llm_schema_engines", "llm_schema_registry", "llm_schema_registry_server"})
SOURCES = {
    "llm_schema_registry": "clients/python",
    "llm_schema_engines": "engines",
    "llm_schema_registry_server": "server",
}
LIBRARIES = (
    "pydantic",
    "openai",
    "anthropic",
    "google-genai",
    "pydantic-ai",
    "instructor",
    "langchain",
    "llama-index",
    "mcp",
    "fastapi",
)
"""The extras of llm_schema_registry.integrations."""
JUDGES = {"llguidance"}
"""What only tests ask."""
NOT_IMPORTED = {"openai", "anthropic", "google-genai"}
"""Extras whose module speaks to the library in plain values, and is of no use without it."""
LISTS = {
    "llm_schema_registry": ("", "verify", *LIBRARIES),
    "llm_schema_engines": ("", "engines"),
    "llm_schema_registry_server": (
        "",
        "engines",
        "pydantic",
        "verify",
        "server",
        "postgres",
        "redis",
        "s3",
        "telemetry",
    ),
}
"""What each package may import: the extras by whose installation it is meant to run; "" are the dependencies of all."""
IMPORTER = {
    "": "llm_schema_registry",
    **dict.fromkeys(("verify", *LIBRARIES), "llm_schema_registry"),
    "engines": "llm_schema_engines",
    **dict.fromkeys(("server", "postgres", "redis", "s3", "telemetry"), "llm_schema_registry_server"),
}
"""The package for which a list is made."""
SHARED = {
    "google": {"google.protobuf": "protobuf", "google": "googleapis-common-protos"},
    "opentelemetry": {
        "opentelemetry.sdk": "opentelemetry-sdk",
        "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
        "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
        "opentelemetry": "opentelemetry-api",
    },
}
"""Namespaces that several distributions share, by the longest prefix first."""
BESIDE = {"llama_index": "llama-index-core", "pydantic_ai": "pydantic-ai-slim"}
"""Distributions that are not in this environment (scripts/integrations) and are called otherwise than what they hold."""


def declared(extra: str) -> set[str]:
    """The distributions of one list, without what it takes over from others."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    names = {canonicalize_name(Requirement(line).name) for line in lines}
    return names - {PROJECT["name"]}


def imported(package: str) -> dict[str, str]:
    """The distributions that a package imports anywhere, each with one file that does."""
    known = packages_distributions()
    found: dict[str, str] = {}
    for file in sorted((ROOT / SOURCES[package] / package).rglob("*.py")):
        for module in _modules(ast.parse(file.read_text())):
            top = module.partition(".")[0]
            if top in OWN or top in sys.stdlib_module_names:
                continue
            shared = SHARED.get(top)
            if shared is not None:
                names = [next(name for prefix, name in shared.items() if module.startswith(prefix))]
            else:
                names = [BESIDE[top]] if top in BESIDE else known.get(top, [top])
            for name in names:
                found.setdefault(canonicalize_name(name), str(file.relative_to(ROOT)))
    return found


def _modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module
            if node.module == "google":
                yield from (f"google.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("package", SOURCES)
def test_what_is_imported_is_declared(package: str) -> None:
    allowed = set().union(*(declared(extra) for extra in LISTS[package]))

    assert {name: file for name, file in imported(package).items() if name not in allowed} == {}


@pytest.mark.parametrize("extra", [extra for extra in IMPORTER if extra not in NOT_IMPORTED])
def test_what_is_declared_is_imported(extra: str) -> None:
    assert declared(extra) - set(imported(IMPORTER[extra])) == set()


def test_every_extra_is_looked_after() -> None:
    assert set(PROJECT["optional-dependencies"]) == {*IMPORTER, "all", "load", "dev"} - {""}


def test_no_distribution_is_declared_twice() -> None:
    everything = [name for extra in IMPORTER for name in declared(extra)]

    assert len(everything) == len(set(everything))


def test_the_lock_has_what_development_needs() -> None:
    text = (ROOT / "requirements.lock").read_text()
    wanted = set().union(*(declared(extra) for extra in (*IMPORTER, "load", "dev") if extra not in LIBRARIES))

    assert wanted - _locked(text) == set()
    libraries = set().union(*(declared(extra) for extra in LIBRARIES))
    assert libraries - _locked(text) - _locked((ROOT / "integrations.lock").read_text()) == set()


def test_the_libraries_are_developed_with_what_their_extras_say() -> None:
    lists = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["integrations"]
    group = {Requirement(line).name: Requirement(line).specifier for line in lists}
    extras = [Requirement(line) for extra in LIBRARIES for line in PROJECT["optional-dependencies"][extra]]

    assert {r.name: r.specifier for r in extras if r.name in group} == {
        name: which for name, which in group.items() if name not in JUDGES
    }


def _locked(text: str) -> set[str]:
    return set(map(canonicalize_name, re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("llm_schema_registry", "llm_schema_engines"),
        ("llm_schema_registry.cli", "llm_schema_engines"),
        ("llm_schema_registry", "cryptography"),
        ("llm_schema_registry.cli", "cryptography"),
        ("llm_schema_engines.errors", "jsonschema_rs"),
        ("llm_schema_engines.api.public", "grpc_tools"),
        ("llm_schema_registry_server.app", "pygrpc_native"),
        ("llm_schema_registry_server.app", "asyncpg"),
        ("llm_schema_registry_server.app", "redis"),
        ("llm_schema_registry_server.app", "aiobotocore"),
        ("llm_schema_registry_server.app", "opentelemetry"),
    ],
)
def test_what_is_optional_is_imported_only_when_it_is_used(module: str, absent: str) -> None:
    program = f"import sys, {module}; sys.exit({absent!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
