"""Every back end: whatever passes the checks of what arrives is read back as it was; whatever is derived, passes them."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from llm_schema_engines.compatibility.semver import next_version
from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.version import MAX_NUMBER, MAX_VERSION_LENGTH, SemanticVersion
from llm_schema_registry_server.errors import InvalidRequest, InvalidVersion
from llm_schema_registry_server.model.change import EventType
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.numbering import draft_version
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, SchemaFilter
from tests.support.storage import change, version

LIMITS = RequestLimits(1000, 1000, 8, tags=50, metadata_bytes=100_000, page=100)
NUMBERS = (0, 1, 9, MAX_NUMBER - 1, MAX_NUMBER)
LETTERS = (
    "aZ09 .-_/:%*?\\\"'{}[]<>&\t\n\r\x01\x1f\x7f\x80\xa0\u00e9\u0130\u2028\ufeff\uffff\U0001f600\U0010ffff"
)
TIMES = (
    datetime.min.replace(tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2226, 1, 1, 1, 1, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
)


class Maker:
    """Makes values that the checks of what arrives accept."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, most: int) -> str:
        length = self.random.choice((0, 1, 2, 20, most))
        return "".join(self.random.choice(LETTERS) for _ in range(length))

    def label(self) -> str:
        while True:
            text = self.text(LIMITS.tag_length)
            try:
                LIMITS.check_labels(None, [text], {})
            except InvalidRequest:
                continue
            return text

    def number(self) -> SemanticVersion:
        pre = self.random.choice(("", "-rc.1", "-0", "-a-b.0.9", "-" + "9" * 40))
        build = self.random.choice(("", "+001", "+b" + "x" * 20))
        release = ".".join(str(self.random.choice(NUMBERS)) for _ in range(3))
        text = release + pre + build
        assert len(text) <= MAX_VERSION_LENGTH
        return SemanticVersion.parse(text)

    def subject(self, number: int) -> Subject:
        while True:
            name = f"{number}{self.text(200)}"
            try:
                return Subject.parse(self.random.choice((name, f":.c{number}:{name}")))
            except InvalidRequest:
                continue

    def version(self, number: int) -> SchemaVersion:
        metadata = {self.label(): self.text(300) for _ in range(self.random.choice((0, 1, 5)))}
        description = self.random.choice((None, "", self.text(LIMITS.description_length)))
        tags = tuple(dict.fromkeys(self.label() for _ in range(self.random.choice((0, 1, 5)))))
        LIMITS.check_labels(description, tags, metadata)
        subject = self.subject(number)
        return version(
            str(subject),
            self.random.choice((1, 2, 2**31 - 1)),
            version=self.number(),
            schema_type=self.random.choice(list(SchemaType)),
            size=self.random.choice((0, 1, 2**40)),
            level=self.random.choice(list(CompatibilityLevel)),
            state=self.random.choice(list(SchemaState)),
            change_class=self.random.choice(list(ChangeClass)),
            description=description,
            tags=tags,
            metadata=metadata,
            options={"dialect": self.text(50)},
            created_by=self.text(100),
            created_at=self.random.choice(TIMES),
            updated_at=self.random.choice(TIMES),
            deleted_at=self.random.choice((None, *TIMES)),
            revision=number + 1,
        )


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_stored_is_read_back(store: Store, seed: int) -> None:
    maker = Maker(seed)
    made = [maker.version(number) for number in range(60)]
    logged = [
        change(
            event_type=maker.random.choice(list(EventType)),
            subject=maker.random.choice((None, v.subject)),
            schema_id=v.schema_id,
            version=str(v.version),
            ordinal=v.ordinal,
            at=v.created_at,
            actor=maker.text(100),
            correlation_id=maker.text(100),
            metadata={maker.label(): maker.text(200)},
        )
        for v in made
    ]
    steps = [
        Transition(
            v.schema_id,
            maker.random.choice((None, *SchemaState)),
            maker.random.choice(list(SchemaState)),
            maker.text(20),
            maker.text(50),
            v.updated_at,
            maker.text(500),
        )
        for v in made
    ]
    async with store.write() as tx:
        sequences = [await tx.append_change(c) for c in logged]
        for each in made:
            await tx.insert_version(each, (maker.text(50),))
        await tx.record_transitions(steps)

    while True:  # a change may become visible a moment after its commit
        async with store.read() as tx:
            changes = await tx.changes(0, 1000)
            if len(changes) == len(made):
                break
        await store.wait_for_change(0, 1)
    async with store.read() as tx:
        found = {
            v.schema_id: v for v in await tx.scan_versions(SchemaFilter(include_deleted=True), Page(1000))
        }
        histories = [step for v in made for step in await tx.history(v.schema_id)]

    assert found == {v.schema_id: v for v in made}
    assert [str(found[v.schema_id].version) for v in made] == [str(v.version) for v in made]
    assert histories == steps
    for stored, given, sequence in zip(changes, logged, sequences, strict=True):
        assert (stored.sequence, stored.at, stored.actor) == (sequence, given.at, given.actor)
        assert (stored.event_type, stored.subject, stored.version) == (
            given.event_type,
            given.subject,
            given.version,
        )
        assert dict(stored.metadata) == dict(given.metadata)


def test_whatever_is_derived_is_parsed() -> None:
    maker = Maker(0)
    for _ in range(3000):
        last = maker.number()
        change_class = maker.random.choice(list(ChangeClass))
        try:
            derived = next_version(last, change_class)
        except InvalidVersion:
            assert last.major == MAX_NUMBER
            continue
        assert SemanticVersion.parse(str(derived)) == derived > last
    for ordinal in (1, 2**31 - 1):
        assert SemanticVersion.parse(str(draft_version(ordinal))) == draft_version(ordinal)
