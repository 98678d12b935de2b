"""Every back end: versions, contents, configuration and history come back as they went in."""

from dataclasses import replace
from datetime import timedelta

import pytest

from llm_schema_engines.model.compatibility import (
    ChangeClass,
    CompatibilityLevel,
    Strictness,
    WriterModel,
)
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import FormatPolicy
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.errors import ConcurrentUpdate, StorageDamaged
from llm_schema_registry_server.model.config import Config, LintPolicy, Mode, UndecidedPolicy
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.schema import ResolvedReference, SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import BACK_ENDS, START, change, content, insert, register, seen, version

FULL = {
    "schema_type": SchemaType.PROTOBUF,
    "description": "Überraschung \N{SNOWMAN} '\"%_*\\ \0 end",
    "tags": ("pii", "käse", "a'b", ""),
    "metadata": {"team": "core", "": "empty", "quote\"'": "x\0y"},
    "options": {"dialect": "2020-12"},
    "version": SemanticVersion(2, 0, 0, ("rc", "1"), "build.5"),
    "level": CompatibilityLevel.FULL_TRANSITIVE,
    "state": SchemaState.DRAFT,
    "change_class": ChangeClass.BREAKING,
    "references": (
        ResolvedReference("a.proto", Subject.parse(":.ctx:lib/a"), 3, SemanticVersion(1, 0, 0), "id-a"),
        ResolvedReference("b.proto", Subject.parse("lib b"), 1, SemanticVersion(0, 1, 0), "id-b"),
    ),
    "deleted_at": START + timedelta(days=1),
}


REFERENCED = (version("lib", schema_id="id-a"), version("lib", 2, schema_id="id-b"))


def same(left: SchemaVersion | None, right: SchemaVersion) -> bool:
    """Equal in everything, also in the build metadata that SemanticVersion's == leaves out."""
    return left == right and str(left.version) == str(right.version)


async def test_a_version_comes_back_as_it_went_in(store: Store) -> None:
    wanted = version(":.ctx:a/b c%d", 5, **FULL)
    await insert(store, *REFERENCED, wanted)

    async with store.read() as tx:
        assert same(await tx.version(wanted.schema_id), wanted)


async def test_an_unknown_id_is_none(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.version("nothing") is None


async def test_versions_of_a_subject_are_live_and_by_ordinal(store: Store) -> None:
    third, first, gone = version(ordinal=3), version(ordinal=1), version(ordinal=2, deleted_at=START)
    await insert(store, third, first, gone, version("orders2"), version(":.ctx:orders"))

    async with store.read() as tx:
        assert await tx.versions(Subject.parse("orders")) == [first, third]
        assert await tx.versions(Subject.parse("orders"), include_deleted=True) == [first, gone, third]
        assert await tx.versions(Subject.parse("order")) == []


async def test_a_stamp_stands_for_just_these_versions_of_a_subject(store: Store) -> None:
    orders = Subject.parse("orders")
    first = version(ordinal=1, revision=5)
    await insert(store, first, version(ordinal=2, revision=7), version("other", revision=99))

    async def stamp() -> tuple[int, int]:
        async with store.read() as tx:
            return await tx.subject_stamp(orders)

    async with store.read() as tx:
        assert await tx.subject_stamp(Subject.parse("nobody")) == (0, 0)
    assert await stamp() == (2, 7)
    async with store.write() as tx:
        await tx.lock_subject(orders)
        await tx.update_version(replace(first, deleted_at=START, revision=9))
        assert await tx.subject_stamp(orders) == (2, 9)
    assert await stamp() == (2, 9)
    async with store.write() as tx:
        await tx.lock_subject(orders)
        await tx.remove_version(first.schema_id)
    assert await stamp() == (1, 7)


async def test_more_versions_than_one_batch_come_in_order(store: Store) -> None:
    await insert(store, *(version(ordinal=n) for n in range(1, 201)))

    async with store.read() as tx:
        assert [v.ordinal for v in await tx.versions(Subject.parse("orders"))] == list(range(1, 201))


async def test_one_content_is_found_under_all_its_subjects(store: Store) -> None:
    b, a = version("b", global_id=5), version("a", global_id=5, deleted_at=START)
    await insert(store, b, a, version("c", global_id=6))

    async with store.read() as tx:
        assert await tx.versions_by_global_id(".", 5) == [a, b]
        assert await tx.versions_by_global_id(".", 99) == []


async def test_a_global_id_is_looked_up_in_one_context_only(store: Store) -> None:
    names = (":.a:x", ":.a:w", ":.a.b:x", ":.b:x", "orders", ":x", "zebra", "ö", "\U0001f600")
    kept = [version(name, global_id=5) for name in names]
    await insert(store, *kept, version(":.a:v", global_id=6))

    async with store.read() as tx:
        for context in (".", ".a", ".a.b", ".b", ".c", ".", ".%"):
            wanted = [v for v in kept if v.subject.context == context]
            assert await tx.versions_by_global_id(context, 5) == sorted(wanted, key=lambda v: str(v.subject))
        assert [str(v.subject) for v in await tx.versions_by_global_id(".a", 6)] == [":.a:v"]


async def test_a_taken_id_ordinal_or_release_is_refused(store: Store) -> None:
    first = version(version=SemanticVersion(1, 0, 0))
    await insert(store, first)

    for clash in (
        version("other", schema_id=first.schema_id),
        version(ordinal=1, version=SemanticVersion(9, 0, 0)),
        version(ordinal=2, version=SemanticVersion(1, 0, 0, (), "another.build")),
    ):
        with pytest.raises(ConcurrentUpdate):
            await insert(store, clash)
    async with store.read() as tx:
        assert await tx.versions(first.subject) == [first]


async def test_a_refused_insert_leaves_the_transaction_usable(store: Store) -> None:
    await insert(store, version())
    second = version(ordinal=2)

    async with store.write() as tx:
        with pytest.raises(ConcurrentUpdate):
            await tx.insert_version(version(ordinal=1), ())
        await tx.insert_version(second, ())

    async with store.read() as tx:
        assert await tx.version(second.schema_id) == second


async def test_an_update_replaces_what_may_change_and_nothing_else(store: Store) -> None:
    before = version(tags=("old",), metadata={"k": "v"}, description="before")
    changed = replace(
        before,
        version=SemanticVersion(3, 0, 0),
        global_id=8,
        level=CompatibilityLevel.NONE,
        state=SchemaState.DEPRECATED,
        change_class=ChangeClass.BREAKING,
        description="after",
        tags=("new", "tags"),
        metadata={"k": "w"},
        updated_at=START + timedelta(hours=1),
        revision=12,
        deleted_at=START + timedelta(hours=2),
    )
    await insert(store, before)

    async with store.write() as tx:
        await tx.update_version(replace(changed, created_by="eve", size=99, options={"x": "y"}, ordinal=50))

    async with store.read() as tx:
        assert await tx.version(before.schema_id) == changed
        assert await tx.versions_by_global_id(before.subject.context, before.global_id) == []
        assert await tx.versions_by_global_id(before.subject.context, 8) == [changed]


async def test_an_update_to_a_taken_release_or_of_a_removed_version_is_refused(store: Store) -> None:
    first, second = version(ordinal=1), version(ordinal=2)
    await insert(store, first, second)

    for clash in (replace(second, version=first.version), version("removed")):
        with pytest.raises(ConcurrentUpdate):
            async with store.write() as tx:
                await tx.update_version(clash)


async def test_an_update_to_itself_is_no_clash(store: Store) -> None:
    only = version()
    await insert(store, only)

    async with store.write() as tx:
        await tx.update_version(only)


async def test_removal_takes_the_history_and_unused_contents_and_keeps_the_ordinal(store: Store) -> None:
    shared = version("a", identity="shared"), version("b", identity="shared")
    alone = version("a", 2, identity="alone", references=version("a", 2, **FULL).references)
    await insert(store, *REFERENCED)
    async with store.write() as tx:
        for each in (*shared, alone):
            await tx.put_content(each.identity, content(each.identity))
            await tx.insert_version(each, ())
            await tx.record_transitions(
                [Transition(each.schema_id, None, SchemaState.DRAFT, "create", "ada", START)]
            )

    async with store.write() as tx:
        await tx.remove_version(alone.schema_id)
        await tx.remove_version(shared[0].schema_id)
        await tx.remove_version("unknown")

    async with store.read() as tx:
        assert await tx.version(alone.schema_id) is None
        assert await tx.history(alone.schema_id) == []
        assert await tx.dependents("id-a") == []
        assert set(await tx.contents(["shared", "alone"])) == {"shared"}
        assert await tx.versions(Subject.parse("a"), include_deleted=True) == []
    async with store.write() as tx:
        assert await tx.next_ordinal(Subject.parse("a")) == 3
        await tx.remove_version(shared[1].schema_id)
        assert await tx.contents(["shared"]) == {}


async def test_the_first_ordinal_is_one_and_gaps_are_not_filled(store: Store) -> None:
    async with store.write() as tx:
        assert await tx.next_ordinal(Subject.parse("orders")) == 1
        await tx.insert_version(version(ordinal=7), ())
        assert await tx.next_ordinal(Subject.parse("orders")) == 8
        assert await tx.next_ordinal(Subject.parse(":.ctx:orders")) == 1


async def test_a_global_id_stays_with_its_identity(store: Store) -> None:
    async with store.write() as tx:
        first, second = await tx.allot_global_id(".", "a"), await tx.allot_global_id(".", "b")
        assert await tx.allot_global_id(".", "a") == first
    async with store.write() as tx:
        assert await tx.allot_global_id(".", "b") == second
        assert await tx.allot_global_id(".", "c") not in (first, second)
    assert min(first, second) >= 1


async def test_each_context_counts_its_contents_from_one(store: Store) -> None:
    async with store.write() as tx:
        for number, identity in enumerate(("a", "b", "c", "d"), 1):
            assert await tx.allot_global_id(".", identity) == number
    async with store.write() as tx:
        assert [await tx.allot_global_id(".one", i) for i in ("d", "c", "d", "new")] == [1, 2, 1, 3]
        assert [await tx.allot_global_id(".two", i) for i in ("x", "a")] == [1, 2]
    async with store.write() as tx:
        assert [await tx.allot_global_id(".one", i) for i in ("new", "c", "a")] == [3, 2, 4]
        assert await tx.allot_global_id(".", "a") == 1


async def test_a_global_id_is_not_given_again_when_its_version_is_gone(store: Store) -> None:
    async with store.write() as tx:
        gone = await register(tx, ":.ctx:orders", "1")
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)
    async with store.write() as tx:
        assert (await register(tx, ":.ctx:orders", "2")).global_id == gone.global_id + 1
        assert (await register(tx, ":.ctx:orders", "1")).global_id == gone.global_id


async def test_a_global_id_that_was_never_committed_costs_nobody_anything(store: Store) -> None:
    async def undone() -> None:
        async with store.write() as tx:
            assert await tx.allot_global_id(".ctx", "a") == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    async with store.write() as tx:
        assert await tx.allot_global_id(".ctx", "b") == 1
        assert await tx.allot_global_id(".ctx", "a") == 2


async def test_contents_come_back_byte_for_byte(store: Store) -> None:
    kept = {
        "small": content('{ "type" : "string" }', b"\0compiled\xff"),
        "empty": content(""),
        "large": content("x" * 300_000, b"y" * 100_000),
        **{f"more {n}": content(str(n)) for n in range(10)},
    }
    async with store.write() as tx:
        for identity, each in kept.items():
            await tx.put_content(identity, each)

    async with store.read() as tx:
        assert await tx.contents([*kept, "unknown"]) == kept
        assert await tx.contents(["small", "small"]) == {"small": kept["small"]}
        assert await tx.contents([]) == {}
    assert await store.contents([*kept, "unknown"]) == kept
    assert await store.contents([]) == {}


async def test_a_content_is_never_overwritten(store: Store) -> None:
    async with store.write() as tx:
        await tx.put_content("i", content("first"))
        await tx.put_content("i", content("second"))

    async with store.read() as tx:
        assert await tx.contents(["i"]) == {"i": content("first")}


async def test_a_content_without_its_digest_is_damage(store: Store) -> None:
    async with store.write() as tx:
        await tx.put_content("i", replace(content("true"), digest=content("false").digest))

    async with store.read() as tx:
        with pytest.raises(StorageDamaged, match="digest"):
            await tx.contents(["i"])


async def test_dependents_are_direct_once_each_and_sorted(store: Store) -> None:
    target = version("lib")
    uses = tuple(
        ResolvedReference(name, target.subject, 1, target.version, target.schema_id) for name in ("x", "y")
    )
    b, a = version("b", references=uses), version("a", 2, references=uses[:1], deleted_at=START)
    indirect = version("c", references=(ResolvedReference("b", b.subject, 1, b.version, b.schema_id),))
    await insert(store, target, b, a, indirect)

    async with store.read() as tx:
        assert await tx.dependents(target.schema_id) == [a, b]
        assert await tx.dependents(indirect.schema_id) == []


async def test_history_is_in_the_order_of_recording(store: Store) -> None:
    steps = [
        Transition("id", None, SchemaState.DRAFT, "create", "ada", START),
        Transition(
            "id", SchemaState.DRAFT, SchemaState.VALIDATING, "submit", "bob", START, "why\0", {"a": "b"}
        ),
        Transition("id", SchemaState.VALIDATING, SchemaState.DRAFT, "back", "bob", START - timedelta(days=9)),
    ]
    async with store.write() as tx:
        for step in steps:
            await tx.record_transitions([step])

    async with store.read() as tx:
        assert list(await tx.history("id")) == steps
        assert list(await tx.history("other")) == []


async def test_steps_that_were_recorded_together_stay_apart(store: Store) -> None:
    draft, validating, active = SchemaState.DRAFT, SchemaState.VALIDATING, SchemaState.ACTIVE
    steps = [
        Transition("id", None, draft, "create", "ada", START),
        Transition("id", draft, validating, "submit", "ada", START),
        Transition("id", validating, active, "jump", "ada", START),
        Transition("id", validating, draft, "not from where the last one led", "ada", START),
        Transition("id", draft, draft, "stays", "ada", START),
        Transition("id", draft, validating, "another actor", "bob", START),
        Transition("id", validating, draft, "another time", "bob", START + timedelta(microseconds=1)),
        Transition("other", draft, active, "another version", "bob", START + timedelta(microseconds=1)),
        Transition("id", draft, active, "a reason", "bob", START, "why"),
        Transition("id", active, draft, "metadata", "bob", START, "why", {"a": "b"}),
    ]
    async with store.write() as tx:
        await tx.record_transitions(steps)
        await tx.record_transitions([])

    async with store.read() as tx:
        assert list(await tx.history("id")) == [step for step in steps if step.schema_id == "id"]
        assert list(await tx.history("other")) == [step for step in steps if step.schema_id == "other"]


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(level=CompatibilityLevel.FULL, apply_defaults=False),
        Config(
            CompatibilityLevel.NONE,
            Mode.IMPORT,
            Strictness.SOURCE,
            WriterModel.DECLARED_KEYS,
            True,
            FormatPolicy.ASSERT,
            UndecidedPolicy.ALLOW,
            "https://json-schema.org/draft/2020-12/schema",
            LintPolicy.REFUSE_ERRORS,
        ),
    ],
)
async def test_configuration_is_kept_replaced_and_removed(store: Store, config: Config) -> None:
    async with store.write() as tx:
        await tx.set_config("subject:a", Config(mode=Mode.READONLY))
        await tx.set_config("subject:a", config)
        await tx.set_config("subject:b", Config(mode=Mode.READONLY))
        await tx.set_config("subject:b", None)
        await tx.set_config("subject:c", None)

    async with store.read() as tx:
        assert await tx.config("subject:a") == config
        assert await tx.config("subject:b") is None
        assert await tx.config("subject:c") is None


async def test_a_registry_has_a_name_of_eight_hexadecimal_digits(store: Store) -> None:
    assert len(store.registry_id) == 8
    assert int(store.registry_id, 16) >= 0


async def test_numbers_in_the_health_report_are_true_or_absent(store: Store) -> None:
    await insert(store, version("a", 1), version("a", 2), version("a", 3, deleted_at=START))
    await insert(store, version("gone", 1, deleted_at=START), version("removed", 1, schema_id="removed"))
    async with store.write() as tx:
        await tx.remove_version("removed")
        await tx.append_change(change())
        newest = await tx.append_change(change())
    await seen(store, newest)

    facts = await store.ping()

    assert facts["kind"] in (*BACK_ENDS, "postgres")
    assert facts["newest_sequence"] == str(newest)
    assert "changes" not in facts  # nobody counts them: sequences have gaps
    counts = {name: facts.get(name) for name in ("subjects", "versions", "deleted_versions")}
    if facts["kind"] == "postgres":
        assert set(counts.values()) == {None}  # counting them reads the whole table
    else:
        assert counts == {"subjects": "1", "versions": "2", "deleted_versions": "2"}
