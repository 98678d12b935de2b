"""No way around the check: drafts, references to them, undeleted versions, versions that go while they are compared."""

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.version import MAX_NUMBER, SemanticVersion
from llm_schema_registry_server.errors import (
    HasDependents,
    IncompatibleSchema,
    InvalidVersion,
    ReferenceNotFound,
    SchemaTypeMismatch,
    TransitionRefused,
)
from llm_schema_registry_server.model.config import Config
from llm_schema_registry_server.model.lifecycle import EVER_REGISTERED, SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.checking import CompatibilityQuestion
from llm_schema_registry_server.registry.configuration import Scope
from llm_schema_registry_server.registry.lifecycle import Update
from tests.support.registry import ADMIN, SchemaType, World

S = SchemaState
NONE, BACKWARD, FORWARD, TRANSITIVE = (
    CompatibilityLevel.NONE,
    CompatibilityLevel.BACKWARD,
    CompatibilityLevel.FORWARD,
    CompatibilityLevel.BACKWARD_TRANSITIVE,
)


async def set_level(registry: World, level: CompatibilityLevel) -> None:
    await registry.configuration.set(Scope(Subject.parse("s")), Config(level=level), ADMIN)


async def hidden(registry: World, text: str, **options: object) -> str:
    """The id of a version of `s` that is registered and softly deleted."""
    done = await registry.register("s", text, **options)
    await registry.deletion.delete(done.version.schema_id, by=ADMIN)
    return done.version.schema_id


# -- drafts


async def test_refused_content_is_checked_also_after_it_was_saved_as_a_draft(registry: World) -> None:
    await registry.register("s", "a b")
    await registry.register("s", "a", as_draft=True)

    for options in ({}, {"activate": False}, {"normalize": True}):
        with pytest.raises(IncompatibleSchema):
            await registry.register("s", "a", **options)

    assert [v.state for v in await registry.versions("s")] == [S.ACTIVE, S.DRAFT]


async def waiting_draft(registry: World) -> str:
    """The id of a draft of `t` that references the only version of `s`, and waits for its check."""
    draft = await registry.register("t", "@x", references=(("x", "s", "1"),), as_draft=True)
    schema_id = draft.version.schema_id
    for state in (S.VALIDATING, S.COMPATIBILITY_CHECK):
        await registry.lifecycle.update(schema_id, Update(state=state), ADMIN)
    return schema_id


@pytest.mark.parametrize("way", ["deleted", "abandoned"])
async def test_a_draft_whose_target_went_is_not_registered_step_by_step(registry: World, way: str) -> None:
    target = (await registry.register("s", "a", activate=False)).version.schema_id
    draft = await waiting_draft(registry)
    if way == "deleted":
        await registry.deletion.delete(target, by=ADMIN)
    else:
        await registry.lifecycle.update(target, Update(state=S.ABANDONED), ADMIN)

    with pytest.raises(TransitionRefused, match="undelete" if way == "deleted" else "ABANDONED"):
        await registry.lifecycle.update(draft, Update(state=S.REGISTERED), ADMIN)

    assert [v.state for v in await registry.versions("t")] == [S.COMPATIBILITY_CHECK]


async def test_a_draft_with_a_live_target_is_registered_step_by_step(registry: World) -> None:
    await registry.register("s", "a")
    draft = await waiting_draft(registry)

    done = await registry.lifecycle.update(draft, Update(state=S.REGISTERED), ADMIN)

    assert done.version.state is S.REGISTERED


@pytest.mark.parametrize("state", [s for s in S if s not in EVER_REGISTERED])
async def test_what_was_never_registered_is_no_target_of_a_reference(
    registry: World, state: SchemaState
) -> None:
    schema_id = await registry.in_state(state)
    (version,) = [v for v in await registry.versions("s") if v.schema_id == schema_id]

    for selector in (str(version.ordinal), str(version.version)):
        for options in ({}, {"as_draft": True}):
            with pytest.raises(ReferenceNotFound, match=state.name):
                await registry.register("t", "@x", references=(("x", "s", selector),), **options)
    with pytest.raises(ReferenceNotFound):
        await registry.register("t", "@x", references=(("x", "s", "latest"),))


@pytest.mark.parametrize("state", sorted(EVER_REGISTERED))
async def test_what_was_registered_is_a_target_of_references(registry: World, state: SchemaState) -> None:
    await registry.in_state(state)

    done = await registry.register("t", "@x", references=(("x", "s", "1"),))

    assert done.created


@pytest.mark.parametrize("user", ["live", "softly deleted", "draft", "abandoned"])
async def test_what_registered_versions_reference_is_not_abandoned(registry: World, user: str) -> None:
    target = (await registry.register("s", "a", activate=False)).version.schema_id
    using = await registry.register(
        "t", "@x", references=(("x", "s", "1"),), activate=False, as_draft=user == "draft"
    )
    if user == "softly deleted":
        await registry.deletion.delete(using.version.schema_id, by=ADMIN)
    elif user == "abandoned":
        await registry.lifecycle.update(using.version.schema_id, Update(state=S.ABANDONED), ADMIN)

    if user in ("live", "softly deleted"):
        with pytest.raises(HasDependents, match=r"t 1\.0\.0; it cannot become ABANDONED before"):
            await registry.lifecycle.update(target, Update(state=S.ABANDONED), ADMIN)
    else:
        await registry.lifecycle.update(target, Update(state=S.ABANDONED), ADMIN)

    expected = S.REGISTERED if user in ("live", "softly deleted") else S.ABANDONED
    assert [v.state for v in await registry.versions("s")] == [expected]


# -- undelete


async def test_undelete_is_checked_against_what_was_registered_meanwhile(registry: World) -> None:
    schema_id = await hidden(registry, "a b")
    await registry.register("s", "c")

    with pytest.raises(IncompatibleSchema, match="stays softly deleted"):
        await registry.deletion.undelete(schema_id, ADMIN)
    assert not (await registry.versions("s"))[0].live

    await set_level(registry, NONE)
    assert (await registry.deletion.undelete(schema_id, ADMIN)).version.live


@pytest.mark.parametrize(
    ("level", "first", "second", "comes_back"),
    [
        (BACKWARD, "a", "a b", True),  # the later one reads the data of the one that comes back
        (BACKWARD, "a b", "a", False),
        (FORWARD, "a b", "a", True),
        (FORWARD, "a", "a b", False),
    ],
)
async def test_an_undeleted_version_is_compared_at_its_place(
    registry: World, level: CompatibilityLevel, first: str, second: str, comes_back: bool
) -> None:
    schema_id = await hidden(registry, first)
    await registry.register("s", second)
    await set_level(registry, level)

    if comes_back:
        assert (await registry.deletion.undelete(schema_id, ADMIN)).version.live
    else:
        with pytest.raises(IncompatibleSchema):
            await registry.deletion.undelete(schema_id, ADMIN)


@pytest.mark.parametrize(("level", "comes_back"), [(BACKWARD, True), (TRANSITIVE, False)])
async def test_an_undeleted_version_is_compared_with_as_many_as_its_level_asks(
    registry: World, level: CompatibilityLevel, comes_back: bool
) -> None:
    await set_level(registry, NONE)
    schema_id = await hidden(registry, "a")
    for text in ("a b", "b"):
        await registry.register("s", text)
    await set_level(registry, level)

    if comes_back:
        assert (await registry.deletion.undelete(schema_id, ADMIN)).version.live
    else:
        with pytest.raises(IncompatibleSchema):
            await registry.deletion.undelete(schema_id, ADMIN)


async def test_a_draft_is_undeleted_without_a_check(registry: World) -> None:
    await registry.register("s", "a b")
    schema_id = await hidden(registry, "c", as_draft=True)

    assert (await registry.deletion.undelete(schema_id, ADMIN)).version.state is S.DRAFT


async def test_a_version_of_another_type_does_not_come_back(registry: World) -> None:
    schema_id = await hidden(registry, "a")
    await registry.register("s", "a", schema_type=SchemaType.AVRO)

    with pytest.raises(SchemaTypeMismatch):
        await registry.deletion.undelete(schema_id, ADMIN)


async def test_undelete_sees_what_is_registered_while_it_compares(registry: World) -> None:
    schema_id = await hidden(registry, "a b")
    await registry.register("s", "a b c")
    before = registry.library.known
    slipped_in = False

    async def known(version: SchemaVersion) -> object:
        nonlocal slipped_in
        if not slipped_in and version.schema_id == schema_id:
            slipped_in = True
            await registry.register("s", "a b c d", level=NONE)
            await registry.register("s", "z")
            await set_level(registry, TRANSITIVE)
        return await before(version)

    registry.library.known = known  # type: ignore[assignment, method-assign]

    with pytest.raises(IncompatibleSchema):
        await registry.deletion.undelete(schema_id, ADMIN)


# -- content that is there, or was


async def test_a_new_version_of_softly_deleted_content_names_the_old_one(registry: World) -> None:
    schema_id = await hidden(registry, "a")

    trial = await registry.register("s", "a", dry_run=True)
    done = await registry.register("s", "a")
    again = await registry.register("s", "a")

    assert done.created
    assert [d.deleted.schema_id for d in (trial, done) if d.deleted] == [schema_id, schema_id]
    assert (again.created, again.deleted) == (False, None)


@pytest.mark.parametrize("activate", [True, False])
async def test_another_number_than_that_of_the_content_is_refused(registry: World, activate: bool) -> None:
    done = await registry.register("s", "a", activate=activate)
    wanted = SemanticVersion.parse("3.0.0")

    for options in ({}, {"normalize": True}, {"dry_run": True}):
        with pytest.raises(InvalidVersion, match=f"1.0.0 .*{done.version.schema_id}.*not as 3.0.0"):
            await registry.register("s", "a", version=wanted, **options)

    same = await registry.register("s", "a", version=SemanticVersion.parse("1.0.0"))
    assert same.version.schema_id == done.version.schema_id


async def test_a_draft_takes_the_number_that_is_asked_for(registry: World) -> None:
    await registry.register("s", "a", as_draft=True)

    done = await registry.register("s", "a", version=SemanticVersion.parse("3.0.0"))

    assert str(done.version.version) == "3.0.0"


# -- numbers


@pytest.mark.parametrize(
    ("first", "text", "expected"),
    [
        (f"{MAX_NUMBER}.0.0", "b", None),
        (f"{MAX_NUMBER}.{MAX_NUMBER}.0", "a b", None),
        (f"{MAX_NUMBER}.{MAX_NUMBER}.{MAX_NUMBER}", "a # note", None),
        (f"{MAX_NUMBER}.0.0", "a b", f"{MAX_NUMBER}.1.0"),
        (f"1.{MAX_NUMBER}.0", "a b", "2.0.0"),
        (f"1.2.{MAX_NUMBER}", "a\n# note", "1.3.0"),
    ],
)
async def test_a_derived_number_has_no_more_digits_than_a_given_one(
    registry: World, first: str, text: str, expected: str | None
) -> None:
    await registry.register("s", "a", version=SemanticVersion.parse(first), level=NONE)

    if expected is None:
        with pytest.raises(InvalidVersion, match=f"no version is left after {first}"):
            await registry.register("s", text)
        assert len(await registry.versions("s")) == 1
    else:
        assert str((await registry.register("s", text)).version.version) == expected
    for version in await registry.versions("s"):
        assert SemanticVersion.parse(str(version.version)) == version.version


# -- versions that go meanwhile


class Vanishing:
    """Removes a version for ever when its content is read for the first time."""

    def __init__(self, registry: World, schema_id: str) -> None:
        self._registry, self._schema_id = registry, schema_id
        self._contents_of = registry.library.contents.of
        registry.library.contents.of = self  # type: ignore[method-assign]

    async def __call__(self, version: SchemaVersion) -> StoredContent:
        if version.schema_id == self._schema_id:
            schema_id, self._schema_id = self._schema_id, ""
            for permanent in (False, True):
                await self._registry.deletion.delete(schema_id, permanent=permanent, by=ADMIN)
        return await self._contents_of(version)


async def test_a_registration_looks_again_when_a_compared_version_is_removed(registry: World) -> None:
    await registry.register("s", "a")
    gone = await registry.register("s", "a b")
    Vanishing(registry, gone.version.schema_id)

    done = await registry.register("s", "a c")

    assert (done.version.ordinal, str(done.version.version)) == (3, "1.1.0")
    assert [v.ordinal for v in await registry.versions("s")] == [1, 3]


async def test_a_registration_names_a_reference_that_is_removed_meanwhile(registry: World) -> None:
    gone = await registry.register("t", "x")
    Vanishing(registry, gone.version.schema_id)

    with pytest.raises(ReferenceNotFound):
        await registry.register("s", "@t", references=(("t", "t", "1"),))


async def test_a_check_looks_again_when_a_compared_version_is_removed(registry: World) -> None:
    await registry.register("s", "a")
    gone = await registry.register("s", "a b")
    Vanishing(registry, gone.version.schema_id)

    answer = await registry.checking(CompatibilityQuestion(Subject.parse("s"), b"a c"))

    assert (answer.report.compatible, list(answer.report.compared_versions)) == (True, ["1.0.0"])


async def test_a_promotion_looks_again_when_a_compared_version_is_removed(registry: World) -> None:
    await registry.register("s", "a")
    gone = await registry.register("s", "a b")
    draft = await registry.in_state(S.COMPATIBILITY_CHECK, "a c")
    Vanishing(registry, gone.version.schema_id)

    found = await registry.lifecycle.update(draft, Update(state=S.REGISTERED), ADMIN)

    assert str(found.version.version) == "1.1.0"


async def test_an_undeletion_looks_again_when_a_compared_version_is_removed(registry: World) -> None:
    schema_id = await hidden(registry, "a")
    gone = await registry.register("s", "b")
    Vanishing(registry, gone.version.schema_id)

    assert (await registry.deletion.undelete(schema_id, ADMIN)).version.live
