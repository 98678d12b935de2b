"""Caches that outlive a build do not give its verdicts to another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llm_schema_engines.formats import revision as module
from llm_schema_engines.formats.avro.engine import AvroEngine
from llm_schema_engines.formats.json_schema.engine import JsonSchemaEngine
from llm_schema_engines.formats.revision import revision


def test_all_engines_go_by_it() -> None:
    assert JsonSchemaEngine().version == AvroEngine().version == revision()
    assert len(revision()) == 16


def test_it_is_another_one_when_a_module_or_a_library_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_one_build = revision.__wrapped__
    root = tmp_path / "engines"
    shutil.copytree(module._ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_ROOT", root)
    assert of_one_build() == revision()

    changed = root / "formats" / "avro" / "resolution" / "compare.py"
    changed.write_text(changed.read_text() + "\n")
    first = of_one_build()
    assert first != revision()

    monkeypatch.setattr(module, "_version", lambda library: "0")
    assert of_one_build() not in (first, revision())
