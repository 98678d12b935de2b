"""Registering content that the subject has already: what was asked for is true afterwards, or an error says why."""

import asyncio
from typing import Any

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.errors import (
    IncompatibleSchema,
    TransitionRefused,
    VersionNotFound,
    VersionNotGreater,
)
from llm_schema_registry_server.model.change import EventType
from llm_schema_registry_server.model.lifecycle import SchemaState, allowed_from
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.assessment import Assessment, Assessor
from llm_schema_registry_server.registry.configuration import Scope
from llm_schema_registry_server.registry.existing import ACTIONS, GOALS, Action
from llm_schema_registry_server.registry.lifecycle import Update
from tests.support.registry import ADMIN, World

S = SchemaState
SUBJECT = Subject.parse("s")
OPTIONS = {S.DRAFT: {"as_draft": True}, S.REGISTERED: {"activate": False}, S.ACTIVE: {}}
# What a registration answers with, where that is not the state that it asked for.
FURTHER = {
    (S.VALIDATING, S.DRAFT): S.VALIDATING,
    (S.COMPATIBILITY_CHECK, S.DRAFT): S.COMPATIBILITY_CHECK,
    (S.REGISTERED, S.DRAFT): S.REGISTERED,
    (S.ACTIVE, S.DRAFT): S.ACTIVE,
    (S.ACTIVE, S.REGISTERED): S.ACTIVE,
    (S.DEPRECATED, S.DRAFT): S.DEPRECATED,
    (S.DEPRECATED, S.REGISTERED): S.DEPRECATED,
    (S.DEPRECATED, S.ACTIVE): S.DEPRECATED,
}


def test_the_table_has_every_state_and_every_goal() -> None:
    assert set(ACTIONS) == set(S)
    assert all(len(row) == len(GOALS) for row in ACTIONS.values())


@pytest.mark.parametrize("state", [state for state in S if state not in (S.ACTIVE, S.DEPRECATED)])
async def test_without_a_latest_version_the_error_says_what_the_state_allows(
    registry: World, state: SchemaState
) -> None:
    await registry.in_state(state)
    with pytest.raises(VersionNotFound) as told:
        await registry.reading.latest(SUBJECT)
    assert f"its only version is {state.name}" in str(told.value)
    if S.ACTIVE in allowed_from(state):
        assert "set the state of version 1 to ACTIVE" in str(told.value)
    else:
        assert "register its content again" in str(told.value)
        assert (await registry.register("s", "a")).version.state is S.ACTIVE


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("state", S)
async def test_what_was_asked_for_is_true_afterwards_or_refused(
    registry: World, state: SchemaState, goal: SchemaState, normalize: bool
) -> None:
    before = await registry.in_state(state)
    text = "  a" if normalize else "a"
    options = OPTIONS[goal] | {"normalize": normalize}

    if state is S.ROLLING_BACK:
        with pytest.raises(TransitionRefused, match="set its state to ACTIVE or DEPRECATED"):
            await registry.register("s", text, **options)
        assert len(await registry.versions("s")) == 1
        return
    done = await registry.register("s", text, **options)
    again = await registry.register("s", text, **options)

    assert done.version.state is FURTHER.get((state, goal), goal)
    anew = ACTIONS[state][GOALS.index(goal)] is Action.NEW_VERSION
    assert done.created is anew
    moved = not anew and done.version.state is not state
    assert (done.previous_state, again.previous_state) == (state if moved else None, None)
    assert (done.version.schema_id != before) is anew
    assert not again.created
    assert again.version == done.version
    if done.version.state in (S.ACTIVE, S.DEPRECATED):
        assert (await registry.reading.latest(SUBJECT)).version == done.version
    if done.version.state in (S.REGISTERED, S.ACTIVE):
        assert done.version.version.release >= (1, 0, 0)
    assert (await registry.reading.by_id(done.version.schema_id)).version == done.version


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("state", S)
async def test_a_dry_run_answers_with_the_state_that_would_be_and_writes_nothing(
    registry: World, state: SchemaState, goal: SchemaState
) -> None:
    await registry.in_state(state)
    versions, changes = await registry.versions("s"), await registry.changes()

    if state is S.ROLLING_BACK:
        with pytest.raises(TransitionRefused):
            await registry.register("s", "a", dry_run=True, **OPTIONS[goal])
    else:
        tried = await registry.register("s", "a", dry_run=True, **OPTIONS[goal])
        assert not tried.created
        assert tried.version.state is FURTHER.get((state, goal), goal)
    assert (await registry.versions("s"), await registry.changes()) == (versions, changes)
    if state is not S.ROLLING_BACK:
        done = await registry.register("s", "a", **OPTIONS[goal])
        assert (done.version.state, done.version.version.release) == (
            tried.version.state,
            tried.version.version.release,
        )


@pytest.mark.parametrize("state", [S.DRAFT, S.VALIDATING, S.COMPATIBILITY_CHECK])
@pytest.mark.parametrize("options", [{}, {"activate": False}, {"normalize": True}, {"dry_run": True}])
async def test_refused_content_saved_as_a_draft_stays_refused(
    registry: World, state: SchemaState, options: dict[str, object]
) -> None:
    await registry.register("s", "a b")
    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a", **options)
    draft = await registry.in_state(state)
    before = await registry.versions("s")

    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a", **options)
    with pytest.raises(IncompatibleSchema):
        await registry.register("s", " a", **options | {"normalize": True})

    assert await registry.versions("s") == before
    assert before[-1].schema_id == draft


async def test_a_promotion_is_one_event_and_every_transition_of_the_way(registry: World) -> None:
    await registry.register("s", "a")
    draft = await registry.register("s", "a b", as_draft=True)
    done = await registry.register("s", "a b")

    change = (await registry.changes())[-1]
    assert change.event_type is EventType.SCHEMA_REGISTERED
    assert change.schema_id == draft.version.schema_id == done.version.schema_id
    assert change.metadata == {
        "from_state": "DRAFT",
        "to_state": "ACTIVE",
        "state": "ACTIVE",
        "schema_type": "JSON",
        "change_class": "COMPATIBLE",
    }
    assert len(await registry.changes()) == 3
    history = await registry.lifecycle.history(draft.version.schema_id)
    assert [t.to_state for t in history] == [
        S.DRAFT,
        S.VALIDATING,
        S.COMPATIBILITY_CHECK,
        S.REGISTERED,
        S.ACTIVE,
    ]
    assert str(done.version.version) == "1.1.0"
    assert done.report is not None
    assert done.report.compared_versions == ("1.0.0",)


async def test_activation_is_the_event_of_its_transition(registry: World) -> None:
    await registry.register("s", "a", activate=False)
    done = await registry.register("s", "a")

    change = (await registry.changes())[-1]
    assert change.event_type is EventType.SCHEMA_ACTIVATED
    assert change.metadata == {"from_state": "REGISTERED", "to_state": "ACTIVE"}
    assert change.sequence == done.version.revision


async def test_a_draft_that_newer_versions_have_overtaken_becomes_a_new_version(registry: World) -> None:
    draft = await registry.register("s", "a b c", as_draft=True)
    await registry.register("s", "a")
    await registry.register("s", "a b")

    done = await registry.register("s", "a b c")

    assert done.created
    assert done.version.schema_id != draft.version.schema_id
    assert (await registry.reading.latest(SUBJECT)).version == done.version
    # ... and so the next registration is compared with it.
    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a b d")
    assert not (await registry.register("s", "a b c", as_draft=True)).created


async def test_a_promoted_draft_may_be_given_its_version(registry: World) -> None:
    await registry.register("s", "a")
    await registry.register("s", "a b", as_draft=True)

    with pytest.raises(VersionNotGreater):
        await registry.register("s", "a b", version=SemanticVersion(1, 0, 1))
    done = await registry.register("s", "a b", version=SemanticVersion(3, 0, 0))

    assert str(done.version.version) == "3.0.0"
    assert not done.created


async def test_a_promotion_takes_the_labels_that_come_along_and_keeps_the_others(registry: World) -> None:
    await registry.register("s", "a", as_draft=True, description="old", tags=["x"], metadata={"k": "v"})
    done = await registry.register("s", "a", description="new")

    assert (done.version.description, done.version.tags, done.version.metadata) == (
        "new",
        ("x",),
        {"k": "v"},
    )
    # A retry finds it as it is and changes nothing.
    again = await registry.register("s", "a", description="other")
    assert again.version == done.version


async def test_a_promotion_with_a_level_sets_and_uses_it(registry: World) -> None:
    await registry.register("s", "a b")
    await registry.register("s", "a", as_draft=True)

    done = await registry.register("s", "a", level=CompatibilityLevel.NONE)

    assert (done.version.state, done.version.level) == (S.ACTIVE, CompatibilityLevel.NONE)
    assert str(done.version.version) == "2.0.0"
    view = await registry.configuration.get(Scope(SUBJECT))
    assert view.config.level is CompatibilityLevel.NONE


async def test_an_active_version_is_preferred_to_a_draft_with_the_same_content(registry: World) -> None:
    active = await registry.register("s", "a")
    await registry.register("s", " a", as_draft=True)

    assert (await registry.register("s", "a  ", normalize=True)).version == active.version


async def test_equivalent_content_needs_no_check_against_newer_versions(registry: World) -> None:
    first = await registry.register("s", "a")
    await registry.register("s", "a b")

    assert (await registry.register("s", " a", normalize=True)).version == first.version


async def test_twenty_callers_promote_a_draft_once(registry: World) -> None:
    draft = await registry.register("s", "a", as_draft=True)

    done = await asyncio.gather(*(registry.register("s", "a") for _ in range(20)))

    assert {d.version.schema_id for d in done} == {draft.version.schema_id}
    assert {d.version.state for d in done} == {S.ACTIVE}
    assert len(await registry.changes()) == 2


@pytest.mark.parametrize("step_by_step", [False, True])
async def test_a_promotion_is_checked_again_when_another_version_slips_in(
    registry: World, monkeypatch: pytest.MonkeyPatch, step_by_step: bool
) -> None:
    await registry.register("s", "a")
    draft = await registry.in_state(S.COMPATIBILITY_CHECK, "a b")
    check, others = Assessor.admit_stored, ["a c"]

    async def check_and_be_overtaken(self: Assessor, *args: Any, **options: Any) -> Assessment:
        assessment = await check(self, *args, **options)
        if others:
            await registry.register("s", others.pop())
        return assessment

    monkeypatch.setattr(Assessor, "admit_stored", check_and_be_overtaken)

    promotion = (
        registry.lifecycle.update(draft, Update(state=S.REGISTERED), ADMIN)
        if step_by_step
        else registry.register("s", "a b")
    )
    with pytest.raises(IncompatibleSchema):  # `a b` does not read `c`
        await promotion
    assert [v.state for v in await registry.versions("s")] == [S.ACTIVE, S.COMPATIBILITY_CHECK, S.ACTIVE]


async def test_softly_deleted_content_makes_a_new_version(registry: World) -> None:
    for state in (S.DRAFT, S.ACTIVE):
        hidden = await registry.in_state(state)
        await registry.deletion.delete(hidden, by=ADMIN)
        done = await registry.register("s", "a")
        assert done.created
        assert done.version.state is S.ACTIVE
        await registry.deletion.delete(done.version.schema_id, by=ADMIN)
