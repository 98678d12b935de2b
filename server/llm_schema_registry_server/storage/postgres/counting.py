"""Statements that read whole tables, to count everything. They take no transaction id, so that no reader of the change log waits
for them: a transaction that has one holds it back (docs/decisions/0013-statistics-are-counted-by-reads.md)."""

from __future__ import annotations

from ...model.statistics import TOP
from ..counting import DAY, ELSEWHERE, MARK_BYTES

LIMIT = "SET LOCAL statement_timeout = {}"
"""In milliseconds, of each statement of the transaction."""
VERSIONS = (
    "SELECT schema_type, state, level, deleted_at IS NOT NULL, "
    f"CASE WHEN created_at >= $1 THEN created_at / {DAY} END, count(*) FROM versions GROUP BY 1, 2, 3, 4, 5"
)


def _groups(name: str) -> str:
    return (
        "(SELECT coalesce(json_agg(json_build_array(name, subjects, versions)), '[]') FROM "
        f"(SELECT {name} AS name, count(*) AS subjects, sum(versions - deleted) AS versions FROM per "
        f"WHERE versions > deleted AND {name} IS NOT NULL "
        f'GROUP BY 1 ORDER BY 2 DESC, {name} COLLATE "C" LIMIT {TOP}) g)'
    )


SUBJECTS = (
    "WITH per AS MATERIALIZED (SELECT * FROM subject_versions) "
    "SELECT count(*) FILTER (WHERE versions > deleted), count(*) FILTER (WHERE versions = deleted), "
    f"{_groups('context')}, {_groups('prefix')}, "
    "(SELECT coalesce(json_agg(json_build_array(subject, versions, deleted, size)), '[]') "
    f"FROM (SELECT * FROM per ORDER BY versions DESC, subject LIMIT {TOP}) l) FROM per"
)
CONTENTS = (
    "SELECT count(*), coalesce(sum(CASE WHEN moved THEN sent ELSE here END), 0), "
    "coalesce(sum(sent) FILTER (WHERE moved), 0), coalesce(sum(here + more), 0) FROM ("
    "SELECT octet_length(c.content) AS here, octet_length(c.canonical) + octet_length(c.artifact) AS more, m.moved, "
    "CASE WHEN m.moved THEN coalesce((SELECT v.size FROM versions v WHERE v.identity = c.identity LIMIT 1), 0) END AS sent "
    "FROM contents c, LATERAL (SELECT CASE WHEN octet_length(c.content) < "
    f"{MARK_BYTES} THEN substring(c.content FOR 1) = '\\x{ELSEWHERE.hex()}'::bytea ELSE false END AS moved) m) s"
)
LOG = (
    "SELECT count(*), (SELECT at FROM changes WHERE sequence < final_before() ORDER BY sequence LIMIT 1), "
    "(SELECT at FROM changes WHERE sequence < final_before() ORDER BY sequence DESC LIMIT 1) "
    "FROM changes WHERE sequence < final_before()"
)
