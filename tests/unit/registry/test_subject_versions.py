"""What is known of a subject is brought up to date from what has changed since, or not at all: never to something else."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.subject_versions import SubjectVersions
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.values import StampedVersions
from llm_schema_registry_server.workers.inline import InlineWorkers
from tests.support.storage import START, version

ORDERS = Subject.parse("orders")
STEPS = st.tuples(
    st.sampled_from(
        ["append", "append", "append", "state", "labels", "delete", "undelete", "number", "remove"]
    ),
    st.integers(0, 7),
    st.sampled_from(SchemaState),
)


class Story:
    """A subject as a store has it: what is done to it has rising revisions."""

    def __init__(self) -> None:
        self.versions: dict[int, SchemaVersion] = {}
        self.ordinals = self.revision = 0

    def do(self, what: str, place: int, state: SchemaState) -> None:
        self.revision += 1
        if what == "append":
            self.ordinals += 1
            number = SemanticVersion(1 + place % 3, self.ordinals, 0)
            if state is SchemaState.DRAFT:
                number = SemanticVersion(0, 0, 0, ("draft", str(self.ordinals)))
            made = version(ordinal=self.ordinals, version=number, state=state, revision=self.revision)
            self.versions[self.ordinals] = made
            return
        if not self.versions:
            return
        old = sorted(self.versions.items())[place % len(self.versions)][1]
        if what == "remove":
            del self.versions[old.ordinal]
            return
        changed: dict[str, SchemaVersion] = {
            "state": replace(old, state=state),
            "labels": replace(old, tags=(str(self.revision),)),
            "delete": replace(old, deleted_at=START),
            "undelete": replace(old, deleted_at=None),
            "number": replace(old, version=SemanticVersion(3, 0, self.revision)),
        }
        self.versions[old.ordinal] = replace(changed[what], revision=self.revision)

    def since(self, revision: int) -> StampedVersions:
        all_ = [self.versions[n] for n in sorted(self.versions)]
        stamp = len(all_), max((v.revision for v in all_), default=0)
        return StampedVersions(stamp, [v for v in all_ if v.revision > revision])

    @property
    def whole(self) -> SubjectVersions:
        now = self.since(0)
        return SubjectVersions(now.stamp, tuple(now.versions))


@given(before=st.lists(STEPS, max_size=8), after=st.lists(STEPS, max_size=5))
def test_what_is_brought_up_to_date_is_what_would_be_read(
    before: list[tuple[str, int, SchemaState]], after: list[tuple[str, int, SchemaState]]
) -> None:
    story = Story()
    for step in before:
        story.do(*step)
    whole, digest = story.whole, story.whole.digest
    there = set(story.versions)
    for step in after:
        story.do(*step)
    news = story.since(whole.stamp[1])

    brought = whole.updated_to(news.stamp, news.versions)
    assert brought == (story.whole if there <= set(story.versions) else None)
    brought = digest.updated_to(news.stamp, news.versions)
    assert brought in (None, story.whole.digest)
    if all(what == "append" for what, *_ in after):
        assert brought is not None


def test_a_label_on_the_newest_version_is_no_reason_to_read_all() -> None:
    story = Story()
    for _ in range(3):
        story.do("append", 0, SchemaState.ACTIVE)
    digest = story.whole.digest
    story.do("labels", 2, SchemaState.ACTIVE)
    news = story.since(digest.stamp[1])

    assert digest.updated_to(news.stamp, news.versions) == story.whole.digest


class Watched(MemoryStore):
    """Remembers how many versions each read has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.read_versions: list[int] = []

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        found = await super().versions_since(subject, revision)
        self.read_versions.append(len(found.versions))
        return found


@pytest.mark.parametrize("whole", [True, False])
async def test_only_what_is_new_is_read(whole: bool) -> None:
    store = Watched()
    await store.open()
    library = Library(store, {}, InlineWorkers({}), cache_bytes=1 << 20, most_references=8)

    async def insert(ordinal: int) -> SchemaVersion:
        made = version(ordinal=ordinal, revision=10 * ordinal, schema_id=str(uuid.uuid4()))
        async with store.write() as tx:
            await tx.insert_version(made, ())
        return made

    made = [await insert(n) for n in range(1, 6)]
    await library.versions(ORDERS, whole=whole)
    made.append(await insert(6))
    now = await library.versions(ORDERS, whole=whole)
    again = await library.versions(ORDERS, whole=whole)

    assert store.read_versions == [5, 1, 0]
    assert now == again
    assert now.stamp == (6, 60)
    assert list(now.versions)[-1] == made[-1]

    async with store.write() as tx:
        await tx.remove_version(made[0].schema_id)
    now = await library.versions(ORDERS, whole=whole)
    assert store.read_versions[3:] == [0, 5]
    assert list(now.versions) == made[1:]
