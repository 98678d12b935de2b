"""Every bound of the engine is a setting with the same default."""

from __future__ import annotations

from dataclasses import asdict

from llm_schema_engines.formats.json_schema import JsonSchemaLimits
from llm_schema_registry_server.settings import Settings


def test_every_limit_is_a_setting_with_the_same_default() -> None:
    settings = Settings()
    sizes = {"schema_bytes": settings.limits.schema_bytes, "data_bytes": settings.limits.data_bytes}

    assert {**sizes, **settings.json_schema.model_dump()} == asdict(JsonSchemaLimits())
