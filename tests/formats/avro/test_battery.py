"""The strict parser accepts what Avro 1.12 allows and refuses the rest, naming the broken rule."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_engines.formats.avro.schema.issues import RULES
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.avro.battery import BATTERY, encode
from tests.formats.avro.support import ENGINE


@pytest.mark.parametrize(("name", "schema", "rule"), BATTERY, ids=[row[0] for row in BATTERY])
def test_a_schema_is_accepted_or_refused_with_its_rule(name: str, schema: Any, rule: str | None) -> None:
    source = SchemaSource(encode(name, schema))

    if rule is None:
        ENGINE.parse(source)
        return
    with pytest.raises(InvalidSchema) as raised:
        ENGINE.parse(source)
    assert rule in {issue.rule for issue in raised.value.issues}


def test_every_rule_that_refuses_has_a_row() -> None:
    warnings = {
        "AVRO_LOGICAL_IGNORED", "AVRO_REFERENCE_UNUSED", "AVRO_REFERENCE_NAME", "AVRO_NO_FINITE_VALUE",
        "AVRO_DEFAULT_EXTRA", "AVRO_ALIAS_NO_NAME",
    }  # fmt: skip
    elsewhere = {"AVRO_REFERENCE_INVALID", "AVRO_REFERENCE_CONFLICT"}

    assert {rule.id for rule in RULES} - warnings - elsewhere == {row[2] for row in BATTERY if row[2]}


def test_the_battery_has_at_least_154_schemas() -> None:
    assert len(BATTERY) >= 154
    assert len({row[0] for row in BATTERY}) == len(BATTERY)
