"""PostgreSQL: on a filled database no statement reads a large table from end to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest_asyncio

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.scope import Scope, SubjectScope
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage import rows, search
from llm_schema_registry_server.storage.postgres import appending, counting, lists, outcome_queries, queries
from llm_schema_registry_server.storage.postgres.appending import AppendRequest, SnapshotRequest
from llm_schema_registry_server.storage.values import NewVersion, Page, Precondition, RankedPage, SchemaFilter
from llm_schema_registry_server.storage.vocabulary import Vocabulary
from tests.support.postgres import Postgres
from tests.support.storage import START, change, content, version

LARGE = {
    "subjects",
    "global_ids",
    "context_ids",
    "contents",
    "versions",
    "version_references",
    "search",
    "vocabulary",
    "transitions",
    "changes",
    "usage",
    "api_keys",
    "revoked_tokens",
    "conformance",
    "conformance_days",
    "conformance_reports",
}
RARE_TAG = next(iter(search.labels(["rare"], [])))
FILL = f"""
SET registry.restores = on;  -- no order of subjects here
INSERT INTO subjects SELECT format('team-%s/topic-%s', n % 50, n), 4 FROM generate_series(1, 5000) n;
INSERT INTO global_ids (identity) SELECT 'identity ' || n FROM generate_series(1, 20000) n;
INSERT INTO context_ids SELECT '.ctx-' || n % 100, 1 + n / 100, 'identity ' || n FROM generate_series(1, 20000) n;
INSERT INTO contents SELECT 'identity ' || n, 'd', 'c', 'c', '' FROM generate_series(1, 20000) n;
INSERT INTO versions (schema_id, global_id, identity, subject, ordinal, version, release, schema_type, content_digest,
  generation_digest, validation_digest, size, level, state, change_class, origin, about, created_at, updated_at, revision)
SELECT 'id ' || n, n, 'identity ' || n, format('team-%s/topic-%s', s % 50, s), o, '1.0.' || o, '1.0.' || o, 1 + s % 3, 'd',
  'd', 'd', 1, 1, 2, 1, '{{}}', '{{}}', 1, 1, n
FROM generate_series(1, 5000) s, generate_series(1, 4) o, LATERAL (SELECT (s - 1) * 4 + o AS n) x;
INSERT INTO version_references SELECT 'id ' || (id % 9999 + 1), id FROM versions WHERE id > 10000;
INSERT INTO search SELECT id, array_to_tsvector(ARRAY['word' || id, 'common']), '',
  CASE WHEN id % 5000 = 0 THEN ARRAY['{RARE_TAG}'] ELSE ARRAY['x' || id % 100] END, ' 5word' || id || ' ', 1 FROM versions;
INSERT INTO transitions (schema_id, to_state, at, facts) SELECT schema_id, 2, 1, '{{}}' FROM versions;
INSERT INTO changes SELECT n, 1, 's', 'i', 'v', 1, 1, '{{}}' FROM generate_series(1, 20000) n;
INSERT INTO usage (schema_id, reads, validations, score, used_at)
SELECT schema_id, id, 0, 20000 + id * 0.00071, 1 FROM versions ORDER BY random();
INSERT INTO configs SELECT 'subject:' || n, '{{}}' FROM generate_series(1, 5000) n;
INSERT INTO api_keys SELECT 'id ' || n, 'key ' || n, 'prefix ' || n, 'old prefix ' || n, '{{}}', n FROM generate_series(1, 20000) n;
INSERT INTO revoked_tokens SELECT 'id ' || n, n, '{{}}' FROM generate_series(1, 20000) n;
INSERT INTO conformance SELECT schema_id, 'm', subject, ordinal, 1, 9, 8, 1, 0, 0, id, CASE WHEN id % 100 = 0 THEN 1 END FROM versions;
INSERT INTO conformance_days SELECT schema_id, 'm', id % 400, 9, 8, 1, 0, 0 FROM versions;
INSERT INTO conformance_reports SELECT 'report ' || n, n FROM generate_series(1, 20000) n;
INSERT INTO vocabulary SELECT translate(n::text, '0123456789', 'abcdefghij') || 'word' FROM generate_series(1, 20000) n;
ANALYZE;
"""
SUBJECT = "team-7/topic-7"
PAGE = Page(50, after=(SUBJECT, 3))
MINE = SubjectScope(map(Scope.parse, ("team-7/topic-7*", "team-8/topic-*77", "zz*")))
RANKED = RankedPage(50, after=(7, SUBJECT, 3))
NEW = version("new")
GROUNDS = Precondition((0, 0), 1, {"subject:new": None, "context:.": None, "registry": None})
STEP = Transition(NEW.schema_id, None, SchemaState.DRAFT, "create", "ada", START)
ENTRY = NewVersion(NEW, content(), ("a",), change(), [STEP], {"id 7": 7})
STATEMENTS: dict[str, tuple[Any, ...]] = {
    "STATEMENT_LIMIT": (), "REGISTRY_ID": (), "VERSION": ("id 1",), "VERSIONS_BY_ID": (["id 1", "id 2"],), "VERSIONS": (SUBJECT, 1, 256), "LIVE_VERSIONS": (SUBJECT, 1, 256), "SUBJECT_STAMP": (SUBJECT,),
    "VERSIONS_BY_GLOBAL_ID": (7, "a", 1, 256), "VERSIONS_BY_CONTEXT_ID": (7, ":.ctx:", ":.ctx;", "a", 1, 256), "DEPENDENTS": ("id 7", "", 0, 201), "CONTENTS": (["identity 7", "identity 8"],),
    "HISTORY": ("id 7",), "HISTORY_PAGE": ("id 7", 0, 201), "CONFIG": ("subject:7",), "CHANGES": (19000, 100), "LOG_PAGE": (19000, 100),
    "CHANGE_TIMES": (100, 100), "NEWEST_BUT": (100,), "CHANGE_BOUNDS": (), "PROGRESS": (), "NOTIFYING_PROGRESS": ("c",), "REPLAYED": (7, "x"),
    "LATEST": (SUBJECT,), "ORDINAL": (SUBJECT, 2), "RELEASE": (SUBJECT, "1.0.2"), "VERSIONS_WITH_CONTENT": ([f"id {n}" for n in range(64)],),
    "LATEST_WITH_CONTENT": (SUBJECT,), "ORDINAL_WITH_CONTENT": (SUBJECT, 2), "RELEASE_WITH_CONTENT": (SUBJECT, "1.0.2"),
    "LIVE_HITS": ("'word77':*",), "LIVE_LABELLED_HITS": ("'word77':*", [RARE_TAG]), "HITS": ("'word77':*", 9), "SUBJECT_TOTALS": (), "DEPENDENT_EDGES": ("id 7", 10_001, 20_001),
    "USES": ([SUBJECT],), "RESTORES": (), "VERSIONS_SINCE": (SUBJECT, 7, 7, 256), "STAMPED_SINCE": (SUBJECT, 7, 257),
    "VERSIONS_WITH": (SUBJECT, "identity 7"),
    "LOCK_SUBJECT": ("a", ["b", "c"]), "LOCK_SCOPE": ("a",), "LOCK_CONTENTS": (["a", "b"],), "FIRST_SEQUENCE": (),
    "ALLOT_GLOBAL_ID": (".", "new"), "LAST_ORDINAL": (SUBJECT,),
    "FLUSH": (
        ["i"], ["d"], [content().content], [b""], [b""],
        *[[cell] for cell in (9, *rows.change_row(change()))], ["id 7"], [1], [2], [3], ["{}"], ["{}"], [1],
    ),
    "ADD_WORDS": (["a", "b"],), "BEGUN": ("'word77':*",), "NEAR": ("wort", 0.3, 10),
    "FORGET_CHANGES": (3, 5), "ONLY_COMPACTOR": (), "SET_COMPACTED": ("5",),
    "INSERT_VERSION": (*rows.version_row(NEW), ["a"], ["b"], ["c"], " 5a ", ["id 7"]),
    "SCHEMA_ID_TAKEN": ("id 7",), "VERSION_FOR_UPDATE": ("id 7",), "RELEASE_TAKEN": (SUBJECT, "1.0.1", 7),
    "UPDATE_VERSION": ("1", "1", 7, 1, 1, 1, "{}", 1, 1, None, 7), "UPDATE_SEARCH": (["a"], ["b"], " 5a ", 7),
    "HIDE_VERSIONS": (7, [f"id {n}" for n in range(250)], [9] * 250, SUBJECT), "DELETE_VERSIONS": (["id 7", "id 8"],), "DELETE_HISTORIES": (["id 7", "id 8"],),
    "DELETE_UNUSED_CONTENTS": (["identity 7", "identity 8"],), "USED_ELSEWHERE": (SUBJECT,),
    "SET_CONFIG": ("a", "{}"), "ADD_CONFIG": ("a", "{}"), "REPLACE_CONFIG": ("a", "{}", "{}"), "DELETE_CONFIG": ("a",),
    "MOST_USED": (100,), "MOVE_USAGE": (4_000_000_000_000_000, 1e12, 2**30), "RECORD_USAGE": ([f"id {n}" for n in range(500)], [1] * 500, [0] * 500, [1.5] * 500, [1] * 500),
    "FACTS": (), "NAMES": ("id 7",), "ALL_CONFIGS": ("a", 10), "ALL_GLOBAL_IDS": (10000, 10), "ALL_CONTEXT_IDS": (".ctx-7", 50, 10),
    "ALL_ORDINALS": (SUBJECT, 10), "RESTORE_REGISTRY_ID": ("x",), "RESTORE_GLOBAL_IDS": (["."], [1], ["i"]),
    "RESTORE_ORDINAL": ("a", 1), "FOLLOW_GLOBAL_IDS": (), "ALIGN_SEQUENCES": (),
    "STATISTICS": (), "SAVE_STATISTICS": ("{}",),
    "CURSORS": (), "SET_CURSOR": ("a", 7), "REMOVE_CURSOR": ("a",),
    "LOCK_LEASE": ("a",), "ACQUIRE_LEASE": ("a", "b", timedelta(seconds=60)), "RENEW_LEASE": ("a", 7, timedelta(seconds=60)),
    "CONFIRM_LEASE": ("a", 7), "RELEASE_LEASE": ("a", 7),
    "API_KEY": ("id 7",), "LOCK_API_KEY": ("id 7",), "API_KEY_NAMED": ("key 7",), "API_KEYS_WITH": ("prefix 7",),
    "API_KEYS": ("key 7", 10), "COUNT_API_KEYS": (), "INSERT_API_KEY": ("i", "n", "p", None, "{}", None),
    "UPDATE_API_KEY": ("p", None, "{}", "id 7"), "REMOVE_API_KEY": ("id 7",),
    "NOTE_API_KEYS_USED": (["id 7", "id 8"], [1, 2]),
    "REVOKED_TOKEN": ("id 7",), "REVOKED_TOKENS": ("id 7", 10), "COUNT_REVOKED_TOKENS": (),
    "PUT_REVOKED_TOKEN": ("i", 1, "{}"), "FORGET_REVOKED_TOKENS": (7,),
    "GRANTS": ("user:7", "reader", "*", 10), "COUNT_GRANTS": (), "PUT_GRANT": ("user:x", "reader", "*", "ada", 1),
    "REMOVE_GRANT": ("user:7", "reader", "*"), "NEWEST_POLICIES": (), "POLICIES": (7,), "ADD_POLICIES": (7, "{}", "ada", 1),
    "FORGET_POLICIES": (7,),
    "PROFILE_MARKS": (), "PROFILE": ("own",), "PUT_PROFILE": ("own", 1, "{}", "ada", 1), "REMOVE_PROFILE": ("own",),
    "VERDICTS_OF": (["id 7", "id 8"],), "JUDGED_VERSIONS": ("own", 4, "", 10), "FORGET_VERDICTS": ("own", 10),
    "PUT_VERDICTS": (["id 7"], ["own"], [1], [4], ["{}"]), "PROFILE_WATCH": (), "SET_PROFILE_WATCH": ("{}",),
    "AUDIT_WAITS": (), "TAKE_AUDIT": (256,), "APPEND_AUDIT": ([7], [1], ["a"], ["b"], [1], [1], [1], [""], ["{}"]),
    "AUDIT_TILES": ([0, 1], [7, 0]), "PUT_AUDIT_TILES": ([0], [7], [b"x"]), "AUDIT_CHECKPOINTS": (7, 10),
    "NEWEST_AUDIT_CHECKPOINT": (), "AUDIT_CHECKPOINT_BEFORE": (7,), "PUT_AUDIT_CHECKPOINT": (7, 1, "n"),
    "FORGET_AUDIT": (7, 9), "FORGET_AUDIT_CHECKPOINTS": (7,), "META": ("a",), "KEEP_META": ("a", "b"), "SET_META": ("a", "b"),
    "CONTEXT_USAGE": (".ctx",), "COUNT_CONTEXT": (".ctx",), "CONTENT_IDENTITIES": ("identity 7", 10),
    "REPLACE_CONTENT": ("identity 7", b"x", "d", b"", b""),
}  # fmt: skip
_IDS, _ONES = [f"id {n}" for n in range(7, 57)], [1] * 50
_KEYS = (_IDS, ["m"] * 50)
OUTCOMES: dict[str, tuple[Any, ...]] = {
    "LOCK": (), "NOTED_REPORTS": (["report 7", "report 8"],), "NOTE_REPORTS": (["new"], 1), "COUNTED_MODELS": (_IDS,),
    "OUTCOMES_OF": _KEYS, "SUBJECT_OUTCOMES": (SUBJECT, 1, "a", 3, 10), "MODEL_OUTCOMES": (SUBJECT, "m", 1, 3, 10),
    "OUTCOMES_BETWEEN": (*_KEYS, 3, 9), "EARLIER_OUTCOMES": (*_KEYS, [SUBJECT] * 50, _ONES), "COUNT_DROPS": (19_000,),
    "COUNT_OUTCOMES": (*_KEYS, [SUBJECT] * 50, *[_ONES] * 8), "COUNT_DAYS": (*_KEYS, *[_ONES] * 6), "MARK_DROP": ("id 7", "m", 1),
    "FORGET_DAYS": (3, 100), "FORGET_REPORTS": (9, 100),
}  # fmt: skip
APPENDS = [AppendRequest(GROUNDS, ENTRY), AppendRequest(GROUNDS, replace(ENTRY, version=version("other")))]
LOOKS = [
    SnapshotRequest(Subject.parse(f"team-{n}/topic-{n}"), ["a", "b", "c"], f"identity {n}") for n in range(32)
]
TOGETHER: dict[str, tuple[Any, ...]] = {
    "APPEND": tuple(appending.append_parameters(APPENDS, Vocabulary(), wait=False)[0]),
    "SNAPSHOTS": tuple(appending.snapshot_parameters(LOOKS)),
}
SCANS: dict[str, tuple[str, list[Any]]] = {
    "scan": lists.LISTS.scan(SchemaFilter(), PAGE),
    "scan deleted": lists.LISTS.scan(SchemaFilter(include_deleted=True), PAGE),
    "scan offset": lists.LISTS.scan(SchemaFilter(), Page(50, 100)),
    "scan latest": lists.LISTS.scan(SchemaFilter(latest_only=True), PAGE),
    "scan text": lists.LISTS.scan(SchemaFilter(text="word77"), PAGE),
    "scan tag": lists.LISTS.scan(SchemaFilter(tags=("rare",)), PAGE),
    "scan prefix": lists.LISTS.scan(SchemaFilter(subject_prefix="team-7/"), PAGE),
    "scan subject": lists.LISTS.scan(
        SchemaFilter(subject="team-7/topic-7"), Page(50, after=("team-7/topic-7", 1))
    ),
    "count subject": lists.LISTS.count(SchemaFilter(subject="team-7/topic-7")),
    "scan pattern": lists.LISTS.scan(SchemaFilter(subject_pattern="team-7/*77"), PAGE),
    "scan inner pattern": lists.LISTS.scan(SchemaFilter(subject_pattern="*topic-4321*"), PAGE),
    "scan type and state": lists.LISTS.scan(
        SchemaFilter(schema_type=SchemaType.AVRO, state=SchemaState.ACTIVE), PAGE
    ),
    "count text": lists.LISTS.count(SchemaFilter(text="word77")),
    "count tag": lists.LISTS.count(SchemaFilter(tags=("rare",))),
    "count prefix": lists.LISTS.count(SchemaFilter(subject_prefix="team-7/topic-7")),
    "rank": lists.LISTS.rank(SchemaFilter(text="word77"), RANKED),
    "rank tag": lists.LISTS.rank(SchemaFilter(text="common", tags=("rare",)), RANKED),
    "rank latest": lists.LISTS.rank(SchemaFilter(text="word77 common", latest_only=True), RANKED),
    "subjects": lists.LISTS.subjects("team-7/", False, PAGE),
    "scan scope": lists.LISTS.scan(SchemaFilter(scope=MINE), PAGE),
    "count scope": lists.LISTS.count(SchemaFilter(scope=MINE)),
    "subjects scope": lists.LISTS.subjects("", False, PAGE, MINE),
    "count subjects scope": lists.LISTS.count_subjects("", False, MINE),
    "subjects deleted": lists.LISTS.subjects("", True, PAGE),
    "count subjects": lists.LISTS.count_subjects("team-7/topic-7", False),
}

CHEAP_TO_WALK = {
    "LIVE_HITS",
    "HITS",
    "BEGUN",
    "NEAR",
    "scan text",
    "count text",
    "rank",
    "rank latest",
    "scan inner pattern",
}
"""The planner may walk through 20,000 rows for these and be right (at 100,000 it takes the index by itself): here it is
only asked whether there is one."""
COUNTS_EVERYTHING = {"COUNT_API_KEYS", "COUNT_REVOKED_TOKENS", "COUNT_GRANTS"}
"""Their answer is the size of a table, which a setting bounds."""


@pytest_asyncio.fixture
async def filled(postgres: Postgres) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(await postgres.empty_database())
    if not await connection.fetchval("SELECT count(*) FROM versions"):
        await connection.execute(FILL)
    yield connection
    await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_no_statement_reads_a_large_table_from_end_to_end(filled: Any) -> None:
    every = {name: (getattr(queries, name), parameters) for name, parameters in STATEMENTS.items()}
    every |= {name: (getattr(appending, name), parameters) for name, parameters in TOGETHER.items()}
    every |= {name: (getattr(outcome_queries, name), parameters) for name, parameters in OUTCOMES.items()}
    every |= {name: (sql, tuple(parameters)) for name, (sql, parameters) in SCANS.items()}
    await filled.execute("SET jit = off")
    walks = []
    for name, (sql, parameters) in every.items():
        if name in COUNTS_EVERYTHING:
            continue
        await filled.execute(f"SET enable_seqscan = {'off' if name in CHEAP_TO_WALK else 'on'}")
        (answer,) = await filled.fetchrow(f"EXPLAIN (FORMAT JSON) {sql}", *parameters)
        walks += [
            (name, node["Relation Name"], node.get("Filter"))
            for node in nodes(json.loads(answer)[0]["Plan"])
            if node["Node Type"] == "Seq Scan" and node.get("Relation Name") in LARGE
        ]
    assert not walks


async def test_registrations_read_no_large_table_from_end_to_end(filled: Any) -> None:
    """Neither do the functions that they call; often enough for a plan that fits all parameters."""
    read = "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname = ANY($1::text[])"
    references = [{f"id {m + 1}": m + 1} for m in range(32)]
    for n in range(12):
        entries = [
            replace(ENTRY, version=version(f"new-{n}-{m}"), targets=targets)
            for m, targets in enumerate(references)
        ]
        given, _ = appending.append_parameters(
            [AppendRequest(GROUNDS, e) for e in entries], Vocabulary(), wait=False
        )
        transaction = filled.transaction()
        await transaction.start()
        made = await filled.fetch(appending.APPEND, *given)
        await filled.fetch(appending.SNAPSHOTS, *TOGETHER["SNAPSHOTS"])
        assert all(row["global_id"] for row in made)
        assert await filled.fetchval(read, list(LARGE)) == 0
        await transaction.rollback()


async def test_plans_that_were_made_of_an_empty_database_read_no_more_when_it_has_grown(
    postgres: Postgres,
) -> None:
    """Nobody has counted the rows since (ANALYZE): a registry that is being filled for the first time."""
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'versions'"
    connection = await asyncpg.connect(await postgres.empty_database())
    counted = []
    for n in range(20):
        made = [version(f"s{n}-{m}") for m in range(32)]
        entries = [AppendRequest(_new(v), replace(ENTRY, version=v, targets={}, steps=())) for v in made]
        given, _ = appending.append_parameters(entries, Vocabulary(), wait=False)
        async with connection.transaction():
            before = await connection.fetchval(read)
            found = await connection.fetch(appending.APPEND, *given)
            assert all(row["global_id"] for row in found)
            counted.append(await connection.fetchval(read) - before)
    await connection.close()

    assert counted[-1] <= counted[10]


def _new(of: SchemaVersion) -> Precondition:
    scopes = (f"subject:{of.subject}", "context:.", "registry")
    return replace(GROUNDS, configs=dict.fromkeys(scopes))


async def test_every_statement_of_the_back_end_is_explained() -> None:
    for module, explained in ((queries, STATEMENTS), (appending, TOGETHER), (outcome_queries, OUTCOMES)):
        written = {name for name, text in vars(module).items() if name.isupper() and isinstance(text, str)}

        assert {name for name in written if not name.startswith("_")} <= set(explained)


async def test_what_counts_everything_reads_each_table_once(filled: Any) -> None:
    """Whoever counts everything reads everything; not twice, though, nor row by row from an index."""
    asked = {"VERSIONS": [0], "SUBJECTS": [], "CONTENTS": [], "LOG": []}
    read: dict[str, list[str]] = {}
    for name, parameters in asked.items():
        (answer,) = await filled.fetchrow(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {getattr(counting, name)}", *parameters
        )
        read[name] = [
            node["Relation Name"]
            for node in nodes(json.loads(answer)[0]["Plan"])
            if "Relation Name" in node and node["Actual Rows"] * node["Actual Loops"] > 1
        ]

    assert read == {
        "VERSIONS": ["versions"],
        "SUBJECTS": ["versions"],
        "CONTENTS": ["contents"],
        "LOG": ["changes"],
    }


def test_digests_of_labels_are_short_and_different() -> None:
    made = search.labels(["a", "x" * 10_000], [("a", ""), ("", "a"), ("k", "v" * 10_000)])

    assert len(made) == 5
    assert {len(label) for label in made} == {32}
    assert hashlib.blake2b(b"", digest_size=16).hexdigest() not in made
