"""The integrations cost nothing where they are not used, and say what is missing where they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import llm_schema_registry

LIBRARIES = (
    "pydantic", "openai", "anthropic", "google.genai", "pydantic_ai", "instructor", "langchain_core", "llama_index", "mcp", "fastapi",
)  # fmt: skip
PACKAGE = Path(llm_schema_registry.__file__).parent / "integrations"
FREE = ("openai", "anthropic", "google")
"""Modules that need nothing but the engines: they speak plain values."""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "module",
    ["llm_schema_registry", "llm_schema_registry.cli", "llm_schema_registry.integrations"]
    + [f"llm_schema_registry.integrations.{name}" for name in FREE],
)
def test_no_library_is_imported_unless_it_is_used(module: str) -> None:
    done = ran(f"import sys, {module}; print([name for name in {LIBRARIES} if name in sys.modules])")

    assert done.stdout == "[]\n", done.stderr


def test_the_sdk_does_not_import_the_integrations() -> None:
    done = ran("import sys, llm_schema_registry; print('llm_schema_registry.integrations' in sys.modules)")

    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("pydantic", "pydantic", "pydantic"),
        ("pydantic_ai", "pydantic_ai", "pydantic-ai"),
        ("instructor", "instructor", "instructor"),
        ("langchain", "langchain_core", "langchain"),
        ("llama_index", "llama_index", "llama-index"),
        ("mcp", "mcp", "mcp"),
        ("fastapi", "fastapi", "fastapi"),
    ],
)
def test_a_library_that_is_not_there_is_named_with_its_extra(module: str, package: str, extra: str) -> None:
    done = ran(
        f"import sys; sys.modules[{package!r}] = None; import llm_schema_registry.integrations.{module}"
    )

    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: this integration needs ")
    assert f"pip install 'llm-schema-registry[{extra}]'" in done.stderr.splitlines()[-1]


def test_every_module_of_a_library_is_listed_here() -> None:
    shared = {"__init__", "contract", "errors", "inlining", "judging", "modelling", "streams"}

    assert {file.stem for file in PACKAGE.glob("*.py")} - shared == {
        "anthropic", "fastapi", "google", "instructor", "langchain", "llama_index", "mcp", "openai", "pydantic", "pydantic_ai",
    }  # fmt: skip
