"""Registration: one transaction, idempotent, judged by the level, numbered by the change, and nothing left of a failure."""

import asyncio

import pytest

from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.errors import (
    IncompatibleSchema,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    LevelMismatch,
    ReferenceCycle,
    ReferenceNotFound,
    SchemaTooLarge,
    SchemaTypeMismatch,
    SubjectReadOnly,
    UnsupportedSchemaType,
    VersionNotGreater,
)
from llm_schema_registry_server.model.change import EventType
from llm_schema_registry_server.model.config import Config, Mode, UndecidedPolicy
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.configuration import Scope
from tests.support.registry import ADMIN, WRITER, World, world


async def test_the_first_version_is_1_0_0_and_active(registry: World) -> None:
    done = await registry.register("s", "a b")

    assert done.created
    assert str(done.version.version) == "1.0.0"
    assert (done.version.ordinal, done.version.state) == (1, SchemaState.ACTIVE)


async def test_the_same_content_again_is_the_same_version(registry: World) -> None:
    first = await registry.register("s", "a b")
    again = await registry.register("s", "a b")

    assert not again.created
    assert again.version == first.version
    assert len(await registry.changes()) == 1


async def test_the_same_content_in_another_subject_shares_the_global_id(registry: World) -> None:
    one, other = await registry.register("s", "a"), await registry.register("t", "a")

    assert one.version.global_id == other.version.global_id
    assert one.version.schema_id != other.version.schema_id


async def test_with_normalize_white_space_makes_no_new_version(registry: World) -> None:
    first = await registry.register("s", "a b")

    assert (await registry.register("s", "a    b", normalize=True)).version == first.version
    assert (await registry.register("s", "a    b")).created


@pytest.mark.parametrize(
    ("text", "version", "change"),
    [
        ("a b c", "1.1.0", ChangeClass.COMPATIBLE),
        ("a b\n# note", "1.0.1", ChangeClass.ANNOTATION_ONLY),
        ("b a", "1.0.1", ChangeClass.ORDER_ONLY),
        ("a  b", "1.0.1", ChangeClass.NONE),
    ],
)
async def test_the_version_follows_from_the_change(
    registry: World, text: str, version: str, change: ChangeClass
) -> None:
    await registry.register("s", "a b")

    done = await registry.register("s", text)

    assert (str(done.version.version), done.version.change_class) == (version, change)


async def test_a_breaking_change_under_level_none_is_a_major_version(registry: World) -> None:
    await registry.register("s", "a b", level=CompatibilityLevel.NONE)

    done = await registry.register("s", "a")

    assert (str(done.version.version), done.version.change_class) == ("2.0.0", ChangeClass.BREAKING)


async def test_an_incompatible_schema_is_refused_with_its_report_and_leaves_nothing(registry: World) -> None:
    await registry.register("s", "a b")
    before = await registry.changes()

    with pytest.raises(IncompatibleSchema) as refused:
        await registry.register("s", "a")

    report = refused.value.report
    assert report.violations[0].witness.text == "b"  # type: ignore[attr-defined]
    assert report.violations[0].compared_version == "1.0.0"  # type: ignore[attr-defined]
    assert await registry.changes() == before
    assert len(await registry.versions("s")) == 1


async def test_an_undecided_verdict_is_refused_unless_the_subject_allows_it(registry: World) -> None:
    await registry.register("s", "a b")

    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a b c?")

    scope = Scope(Subject.parse("s"))
    await registry.configuration.set(scope, Config(undecided=UndecidedPolicy.ALLOW), ADMIN)
    done = await registry.register("s", "a b c?")
    assert done.report is not None
    assert done.report.verdict is Verdict.UNDECIDED
    assert str(done.version.version) == "2.0.0"


async def test_the_forward_level_asks_the_other_way_round(registry: World) -> None:
    await registry.register("s", "a b", level=CompatibilityLevel.FORWARD)

    assert (await registry.register("s", "a")).created
    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a c")


async def test_a_transitive_level_asks_every_version(registry: World) -> None:
    await registry.register("s", "a", level=CompatibilityLevel.NONE)
    await registry.register("s", "b")
    await registry.register("s", "b c", level=CompatibilityLevel.BACKWARD)

    with pytest.raises(IncompatibleSchema) as refused:
        await registry.register("s", "b c d", level=CompatibilityLevel.BACKWARD_TRANSITIVE)
    assert refused.value.report.compared_versions == ("2.1.0", "2.0.0", "1.0.0")  # type: ignore[attr-defined]


async def test_an_explicit_version_must_be_greater_and_a_big_enough_step(registry: World) -> None:
    await registry.register("s", "a", version=SemanticVersion(2, 0, 0))

    for wanted in (SemanticVersion(1, 9, 0), SemanticVersion(2, 0, 0), SemanticVersion(2, 0, 1)):
        with pytest.raises(VersionNotGreater) as refused:
            await registry.register("s", "a b", version=wanted)
        assert refused.value.metadata["minimum"] == "2.1.0"
    done = await registry.register("s", "a b", version=SemanticVersion(3, 0, 0))
    assert str(done.version.version) == "3.0.0"


async def test_a_dry_run_answers_as_if_and_stores_nothing(registry: World) -> None:
    await registry.register("s", "a")

    done = await registry.register("s", "a b", dry_run=True)

    assert (str(done.version.version), done.created, done.version.schema_id) == ("1.1.0", False, "")
    assert len(await registry.versions("s")) == 1


async def test_a_dry_run_of_an_incompatible_schema_is_refused_too(registry: World) -> None:
    await registry.register("s", "a b")

    with pytest.raises(IncompatibleSchema):
        await registry.register("s", "a", dry_run=True)


async def test_references_are_pinned_at_registration(registry: World) -> None:
    await registry.register("base", "x")
    done = await registry.register("s", "a @b", references=(("b", "base", "latest"),))
    await registry.register("base", "x y")

    (pinned,) = done.version.references
    assert (str(pinned.subject), pinned.ordinal, str(pinned.version)) == ("base", 1, "1.0.0")
    schema = (await registry.validating.data(_payload(done.version.schema_id, b"x"))).report
    assert schema.valid


@pytest.mark.parametrize(
    ("references", "field"),
    [
        ((("b", "nowhere", "latest"),), "references[0]"),
        ((("b", "base", "7"),), "references[0]"),
        (
            (
                ("ok", "base", "1"),
                ("b", "base", "^9"),
            ),
            "references[1]",
        ),
    ],
)
async def test_a_reference_to_nothing_is_named(
    registry: World, references: tuple[tuple[str, str, str], ...], field: str
) -> None:
    await registry.register("base", "x")

    with pytest.raises(ReferenceNotFound) as refused:
        await registry.register("s", "a", references=references)

    assert refused.value.violations[0].field == field


async def test_a_subject_cannot_use_itself_directly_or_through_others(registry: World) -> None:
    await registry.register("s", "a")
    await registry.register("t", "@s", references=(("s", "s", "1"),))

    with pytest.raises(ReferenceCycle):
        await registry.register("s", "a @s", references=(("s", "s", "1"),))
    with pytest.raises(ReferenceCycle, match="s -> t -> s"):
        await registry.register("s", "a @t", references=(("t", "t", "1"),))


async def test_an_invalid_schema_leaves_nothing(registry: World) -> None:
    with pytest.raises(InvalidSchema) as refused:
        await registry.register("s", "a b!")

    assert refused.value.issues[0].pointer == "/b!"
    assert await registry.versions("s") == []
    assert await registry.changes() == []


async def test_failures_are_recorded_when_asked_for() -> None:
    async with world(record_failures=True) as registry:
        with pytest.raises(InvalidSchema):
            await registry.register("s", "a!")

        (change,) = await registry.changes()
        assert change.event_type is EventType.VALIDATION_FAILED
        assert change.metadata["reason"] == "INVALID_SCHEMA"


async def test_a_level_makes_the_level_of_a_new_subject(registry: World) -> None:
    await registry.register("s", "a b", level=CompatibilityLevel.NONE, by=WRITER)

    view = await registry.configuration.get(Scope(Subject.parse("s")))
    assert view.config.level is CompatibilityLevel.NONE


async def test_only_who_may_configure_changes_the_level_of_a_subject(registry: World) -> None:
    await registry.register("s", "a b")

    with pytest.raises(LevelMismatch):
        await registry.register("s", "a b c", level=CompatibilityLevel.FULL, by=WRITER)
    assert (await registry.register("s", "a b c", level=CompatibilityLevel.BACKWARD, by=WRITER)).created
    await registry.register("s", "a", level=CompatibilityLevel.NONE, by=ADMIN)
    view = await registry.configuration.get(Scope(Subject.parse("s")))
    assert view.effective.level is CompatibilityLevel.NONE


async def test_another_schema_type_needs_level_none(registry: World) -> None:
    await registry.register("s", "a")

    with pytest.raises(SchemaTypeMismatch):
        await registry.register("s", "a", schema_type=SchemaType.AVRO)
    done = await registry.register("s", "a", schema_type=SchemaType.AVRO, level=CompatibilityLevel.NONE)
    assert str(done.version.version) == "2.0.0"


async def test_a_read_only_subject_refuses(registry: World) -> None:
    await registry.configuration.set(Scope(), Config(mode=Mode.READONLY), ADMIN)

    with pytest.raises(SubjectReadOnly):
        await registry.register("s", "a")


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (InvalidRequest, {"tags": ["x"] * 6}),
        (InvalidRequest, {"tags": [""]}),
        (InvalidRequest, {"metadata": {"k": "v" * 300}}),
        (InvalidRequest, {"description": "x" * 5000}),
        (InvalidRequest, {"as_draft": True, "version": SemanticVersion(1, 0, 0)}),
        (InvalidVersion, {"version": SemanticVersion(0, 0, 0)}),
    ],
)
async def test_impossible_labels_are_refused(
    registry: World, error: type[InvalidRequest], options: dict[str, object]
) -> None:
    with pytest.raises(error):
        await registry.register("s", "a", **options)


async def test_empty_and_huge_content_is_refused(registry: World) -> None:
    with pytest.raises(InvalidRequest):
        await registry.register("s", "")
    with pytest.raises(SchemaTooLarge):
        await registry.register("s", "x" * 1001)


async def test_a_type_without_engine_is_unsupported(registry: World) -> None:
    with pytest.raises(UnsupportedSchemaType):
        await registry.register("s", "a", schema_type=SchemaType.THRIFT)


async def test_twenty_writers_on_one_subject_make_dense_ordinals(registry: World) -> None:
    await registry.register("s", "w", level=CompatibilityLevel.NONE)

    done = await asyncio.gather(*(registry.register("s", f"w{i}") for i in range(20)))

    versions = await registry.versions("s")
    assert [v.ordinal for v in versions] == list(range(1, 22))
    assert len({d.version.schema_id for d in done}) == 20
    assert [c.sequence for c in await registry.changes()] == sorted(
        c.sequence for c in await registry.changes()
    )


async def test_twenty_writers_of_one_content_make_one_version(registry: World) -> None:
    done = await asyncio.gather(*(registry.register("s", "same") for _ in range(20)))

    assert sum(d.created for d in done) == 1
    assert len(await registry.versions("s")) == 1


async def test_a_writer_that_is_overtaken_is_judged_again(registry: World) -> None:
    await registry.register("s", "a")

    results = await asyncio.gather(
        registry.register("s", "a b"), registry.register("s", "a c"), return_exceptions=True
    )

    refused = [r for r in results if isinstance(r, IncompatibleSchema)]
    assert (
        len(refused) == 1
    )  # `a b` does not read `c`, nor `a c` `b`: whoever came second had to see the first


def _payload(schema_id: str, data: bytes):  # type: ignore[no-untyped-def]
    from llm_schema_registry_server.registry.validating import Payload

    return Payload(schema_id, data)


async def test_versions_are_not_read_again_for_each_registration(registry: World) -> None:
    subject = Subject.parse("s")
    for text in ("a", "a b", "a b c"):
        await registry.register("s", text)

        known = await registry.library.versions(subject)
        async with registry.store.read() as tx:
            assert known.versions == tuple(await tx.versions(subject, include_deleted=True))
    assert registry.library.stats()["subjects"].misses == 0
