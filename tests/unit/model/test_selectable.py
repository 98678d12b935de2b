"""What `latest` and ranges choose from is said once; what SQL says of it comes from there."""

from __future__ import annotations

import itertools
import re
import sqlite3
from importlib import resources

import pytest

from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.selection import selectable
from llm_schema_registry_server.storage.rows import selectable_sql
from tests.support.storage import START, version


@pytest.mark.parametrize(
    ("state", "deleted_at"), list(itertools.product(SchemaState, (None, START))), ids=str
)
def test_sql_and_python_agree(state: SchemaState, deleted_at: object) -> None:

    condition = selectable_sql("v")
    row = (None if deleted_at is None else 1, int(state))
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(
        f"SELECT count(*) FROM (SELECT ? AS deleted_at, ? AS state) v WHERE {condition}", row
    ).fetchone()
    connection.close()

    assert bool(found) == selectable(version(state=state, deleted_at=deleted_at))


@pytest.mark.parametrize("back_end", ["postgres", "sqlite"])
def test_the_index_for_it_has_the_same_condition(back_end: str) -> None:
    package = f"llm_schema_registry_server.storage.{back_end}"
    sql = resources.files(package).joinpath("migrations/0001_registry.sql").read_text()
    (condition,) = re.findall(r"CREATE INDEX versions_selectable ON versions \(.*\) WHERE (.*);", sql)

    assert condition == selectable_sql("versions").replace("versions.", "")
