"""The eighteen transitions, what each asks for, and the record of it."""

import pytest

from llm_schema_registry_server.errors import (
    HasDependents,
    IncompatibleSchema,
    NotSoftDeleted,
    SchemaNotFound,
    SubjectNotFound,
    TransitionRefused,
    VersionNotGreater,
)
from llm_schema_registry_server.model.change import EventType
from llm_schema_registry_server.model.lifecycle import TRANSITIONS, SchemaState
from llm_schema_registry_server.model.selector import parse_selector
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.lifecycle import Update
from llm_schema_registry_server.registry.validating import Payload
from tests.support.registry import ADMIN, STEPS_TO, World

S = SchemaState
SUBJECT = Subject.parse("s")


@pytest.mark.parametrize(("start", "end"), [(a, b) for a in S for b in S if a is not b])
async def test_exactly_the_transitions_of_the_table_are_possible(
    registry: World, start: SchemaState, end: SchemaState
) -> None:
    schema_id = await registry.in_state(start)
    update = Update(state=end, reason="because")

    if (start, end) in TRANSITIONS:
        assert (await registry.lifecycle.update(schema_id, update, ADMIN)).version.state is end
        last = (await registry.reading.history(schema_id)).steps[-1]
        assert (last.from_state, last.to_state, last.actor, last.reason) == (start, end, "ada", "because")
        assert last.trigger == TRANSITIONS[start, end]
    else:
        with pytest.raises(TransitionRefused):
            await registry.lifecycle.update(schema_id, update, ADMIN)


async def test_the_way_to_active_is_recorded_step_by_step(registry: World) -> None:
    done = await registry.register("s", "a")

    history = (await registry.reading.history(done.version.schema_id)).steps

    assert [t.to_state for t in history] == [
        S.DRAFT,
        S.VALIDATING,
        S.COMPATIBILITY_CHECK,
        S.REGISTERED,
        S.ACTIVE,
    ]
    assert history[0].from_state is None


async def test_a_draft_gets_its_version_when_it_is_registered(registry: World) -> None:
    draft = await registry.register("s", "a b", as_draft=True)
    assert str(draft.version.version) == "0.0.0-draft.1"
    await registry.register("s", "a")

    for step in STEPS_TO[S.REGISTERED]:
        found = await registry.lifecycle.update(draft.version.schema_id, Update(state=step), ADMIN)

    assert str(found.version.version) == "1.1.0"


async def test_an_incompatible_draft_cannot_be_registered(registry: World) -> None:
    draft = await registry.register("s", "b", as_draft=True)
    await registry.register("s", "a")
    for step in STEPS_TO[S.COMPATIBILITY_CHECK]:
        await registry.lifecycle.update(draft.version.schema_id, Update(state=step), ADMIN)

    with pytest.raises(IncompatibleSchema):
        await registry.lifecycle.update(draft.version.schema_id, Update(state=S.REGISTERED), ADMIN)

    assert (await registry.reading.by_id(draft.version.schema_id)).version.state is S.COMPATIBILITY_CHECK


async def test_a_draft_does_not_count_for_checks_or_latest(registry: World) -> None:
    await registry.register("s", "a")
    await registry.register("s", "a b c d", as_draft=True)

    assert (await registry.register("s", "a e")).created
    assert (await registry.reading.latest(SUBJECT)).content == b"a e"


async def test_archived_versions_count_for_checks_but_not_for_latest(registry: World) -> None:
    done = await registry.register("s", "a b")
    for step in (S.DEPRECATED, S.ARCHIVED):
        await registry.lifecycle.update(done.version.schema_id, Update(state=step), ADMIN)

    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a")


async def test_labels_change_and_the_content_does_not(registry: World) -> None:
    done = await registry.register("s", "a", tags=["x"], metadata={"k": "v"}, description="d")

    found = await registry.lifecycle.update(done.version.schema_id, Update(tags=["y"]), ADMIN)

    assert (found.version.tags, found.version.metadata, found.version.description) == (
        ("y",),
        {"k": "v"},
        "d",
    )
    assert found.version.revision > done.version.revision
    assert (await registry.changes())[-1].event_type is EventType.SCHEMA_UPDATED


async def test_an_update_that_changes_nothing_appends_nothing(registry: World) -> None:
    done = await registry.register("s", "a", tags=["x"])

    await registry.lifecycle.update(done.version.schema_id, Update(tags=["x"]), ADMIN)

    assert len(await registry.changes()) == 1


async def test_a_softly_deleted_version_reads_by_id_only(registry: World) -> None:
    one = await registry.register("s", "a")
    two = await registry.register("s", "a b")

    await registry.deletion.delete(two.version.schema_id, by=ADMIN)

    assert (await registry.reading.by_id(two.version.schema_id)).content == b"a b"
    assert (await registry.reading.latest(SUBJECT)).version.schema_id == one.version.schema_id
    assert (await registry.validating.data(Payload(two.version.schema_id, b"b"))).report.valid
    with pytest.raises(SchemaNotFound):
        await registry.deletion.delete(two.version.schema_id, by=ADMIN)


async def test_undelete_restores_ids_and_version(registry: World) -> None:
    done = await registry.register("s", "a")
    await registry.deletion.delete(done.version.schema_id, by=ADMIN)

    found = await registry.deletion.undelete(done.version.schema_id, ADMIN)

    assert found.version.version == done.version.version
    assert found.version.ordinal == done.version.ordinal
    assert found.version.live


async def test_a_permanent_delete_needs_a_soft_one_and_no_dependents(registry: World) -> None:
    base = await registry.register("base", "x")
    user = await registry.register("s", "@b", references=(("b", "base", "1"),))

    with pytest.raises(NotSoftDeleted):
        await registry.deletion.delete(base.version.schema_id, permanent=True, by=ADMIN)
    await registry.deletion.delete(base.version.schema_id, by=ADMIN)
    with pytest.raises(HasDependents):
        await registry.deletion.delete(base.version.schema_id, permanent=True, by=ADMIN)

    await registry.deletion.delete(user.version.schema_id, by=ADMIN)
    await registry.deletion.delete(user.version.schema_id, permanent=True, by=ADMIN)
    await registry.deletion.delete(base.version.schema_id, permanent=True, by=ADMIN)
    with pytest.raises(SchemaNotFound):
        await registry.reading.by_id(base.version.schema_id)


async def test_who_depends_and_is_softly_deleted_is_named_as_such(registry: World) -> None:
    base = await registry.register("base", "x")
    user = await registry.register("s", "@b", references=(("b", "base", "1"),))
    for made in (user, base):
        await registry.deletion.delete(made.version.schema_id, by=ADMIN)

    with pytest.raises(HasDependents, match=r"s 1\.0\.0 \(softly deleted\)"):
        await registry.deletion.delete(base.version.schema_id, permanent=True, by=ADMIN)


async def test_the_number_of_a_softly_deleted_version_is_taken_and_the_refusal_says_so(
    registry: World,
) -> None:
    done = await registry.register("s", "a")
    await registry.deletion.delete(done.version.schema_id, by=ADMIN)

    with pytest.raises(VersionNotGreater, match=f"softly deleted: undelete it .* {done.version.schema_id}"):
        await registry.register("s", "a b", version=done.version.version)


async def test_a_removed_version_validates_no_more(registry: World) -> None:
    done = await registry.register("s", "a")
    await registry.validating.data(Payload(done.version.schema_id, b"a"))

    await registry.deletion.delete(done.version.schema_id, by=ADMIN)
    await registry.deletion.delete(done.version.schema_id, permanent=True, by=ADMIN)

    with pytest.raises(SchemaNotFound):
        await registry.validating.data(Payload(done.version.schema_id, b"a"))


async def test_ordinals_and_versions_are_not_given_out_twice(registry: World) -> None:
    await registry.register("s", "a")
    two = await registry.register("s", "a b")
    await registry.deletion.delete(two.version.schema_id, by=ADMIN)
    three = await registry.register("s", "a c")

    assert (three.version.ordinal, str(three.version.version)) == (3, "1.2.0")


async def test_a_subject_is_deleted_whole(registry: World) -> None:
    await registry.register("s", "a")
    await registry.register("s", "a b")

    versions, _ = await registry.deletion.delete_subject(SUBJECT, permanent=False, by=ADMIN)

    assert [str(v.version) for v in versions] == ["1.0.0", "1.1.0"]
    with pytest.raises(SubjectNotFound):
        await registry.reading.by_version(SUBJECT, parse_selector("latest"))
    await registry.deletion.delete_subject(SUBJECT, permanent=True, by=ADMIN)
    assert await registry.versions("s") == []
