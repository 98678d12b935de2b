"""Statements that read whole tables, to count everything. In WAL mode, reads neither wait for the writer nor block it."""

from __future__ import annotations

from ...model.statistics import TOP
from ..counting import DAY, ELSEWHERE, MARK_BYTES

VERSIONS = (
    "SELECT schema_type, state, level, deleted_at IS NOT NULL, "
    f"CASE WHEN created_at >= ? THEN created_at / {DAY} END, count(*) FROM versions GROUP BY 1, 2, 3, 4, 5"
)


def _groups(name: str) -> str:
    return (
        "(SELECT json_group_array(json_array(name, subjects, versions)) FROM "
        f"(SELECT {name} AS name, count(*) AS subjects, sum(versions - deleted) AS versions FROM named "
        f"WHERE versions > deleted AND {name} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}))"
    )


_FAR = 1000  # farther than a subject is long
_SEPARATOR = "min({})".format(
    ", ".join(f"ifnull(nullif(instr(substr(subject, head + 1), '{sign}'), 0), {_FAR})" for sign in "./:")
)
# head: the length of `:.context:`, 0 in the default context. place: where the first separator of the name is.
SUBJECTS = (
    "WITH per AS MATERIALIZED (SELECT subject, count(*) AS versions, "
    "count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted, sum(size) AS size, "
    "CASE WHEN subject >= ':.' AND subject < ':/' THEN instr(substr(subject, 2), ':') + 1 ELSE 0 END AS head "
    "FROM versions GROUP BY subject), "
    f"placed AS (SELECT *, {_SEPARATOR} AS place FROM per), "
    "named AS MATERIALIZED (SELECT *, CASE WHEN head > 0 THEN substr(subject, 2, head - 2) ELSE '.' END AS context, "
    f"CASE WHEN place < {_FAR} THEN substr(subject, 1, head + place) END AS prefix FROM placed) "
    "SELECT count(*) FILTER (WHERE versions > deleted), count(*) FILTER (WHERE versions = deleted), "
    f"{_groups('context')}, {_groups('prefix')}, "
    "(SELECT json_group_array(json_array(subject, versions, deleted, size)) "
    f"FROM (SELECT * FROM named ORDER BY versions DESC, subject LIMIT {TOP})) FROM named"
)
# length() looks at the head of a value only, substr() reads all of it.
_MOVED = f"CASE WHEN length(content) < {MARK_BYTES} THEN substr(content, 1, 1) = x'{ELSEWHERE.hex()}' ELSE false END"
CONTENTS = (
    "SELECT count(*), coalesce(sum(CASE WHEN moved THEN sent ELSE here END), 0), "
    "coalesce(sum(sent) FILTER (WHERE moved), 0), coalesce(sum(here + more), 0) FROM ("
    f"SELECT length(content) AS here, length(canonical) + length(artifact) AS more, {_MOVED} AS moved, "
    f"CASE WHEN {_MOVED} THEN coalesce("
    "(SELECT v.size FROM versions v WHERE v.identity = c.identity LIMIT 1), 0) END AS sent FROM contents c)"
)
LOG = (
    "SELECT count(*), (SELECT at FROM changes ORDER BY sequence LIMIT 1), "
    "(SELECT at FROM changes ORDER BY sequence DESC LIMIT 1) FROM changes"
)
