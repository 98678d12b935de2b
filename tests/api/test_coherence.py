"""Answers that are kept are never stale, and callers at the same time never see half of anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from llm_schema_registry.v1 import config_pb2, lifecycle_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import V1, V2_BREAKING, V2_COMPATIBLE, delete, get, register, update, versions
from .wires import CallFailed, Wire

Name = Callable[[str], str]
T = TypeVar("T")
BACKWARD, NONE = pb.COMPATIBILITY_LEVEL_BACKWARD, pb.COMPATIBILITY_LEVEL_NONE


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | CallFailed]:
    """The outcomes of calls that are made at the same time."""

    def outcome(call: Callable[[], T]) -> T | CallFailed:
        try:
            return call()
        except CallFailed as failure:
            return failure

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def twice(call: Callable[[], T]) -> T:
    """The answer of a call that is made until the server keeps its answer."""
    call()
    return call()


def latest(wire: Wire, subject: str) -> pb.SchemaInfo:
    answer: pb.GetSchemaResponse = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject))
    return answer.schema


def by_version(wire: Wire, subject: str, version: str) -> pb.SchemaInfo:
    request = pb.GetSchemaByVersionRequest(subject=subject, version=version)
    answer: pb.GetSchemaResponse = wire.call("GetSchemaByVersion", request)
    return answer.schema


def compatible(wire: Wire, subject: str, content: bytes, **fields: Any) -> bool:
    request = pb.CompatibilityCheckRequest(subject=subject, new_schema=content, **fields)
    return bool(wire.call("CheckCompatibility", request).compatible)


def missing(wire: Wire, subject: str) -> bool:
    try:
        latest(wire, subject)
    except CallFailed as failure:
        return failure.reason in {"SUBJECT_NOT_FOUND", "VERSION_NOT_FOUND"}
    return False


def test_a_kept_answer_goes_when_its_version_changes(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), description="old")
    assert twice(lambda: get(wire, made.schema_id)).description == "old"
    update(wire, made.schema_id, description="new")
    assert twice(lambda: get(wire, made.schema_id)).description == "new"
    update(wire, made.schema_id, state=pb.SCHEMA_STATE_DEPRECATED)
    assert twice(lambda: by_version(wire, name("s"), "1")).state == pb.SCHEMA_STATE_DEPRECATED
    delete(wire, made.schema_id)
    assert twice(lambda: get(wire, made.schema_id)).HasField("deleted_at")
    assert twice(lambda: missing(wire, name("s")))
    wire.call("UndeleteSchema", lifecycle_pb2.UndeleteSchemaRequest(schema_id=made.schema_id))
    assert not twice(lambda: get(wire, made.schema_id)).HasField("deleted_at")
    assert twice(lambda: latest(wire, name("s"))).id == made.schema_id


@pytest.mark.parametrize("selector", ["latest", "^1.0", "1.x", "~1.0"])
def test_a_kept_choice_goes_when_a_newer_version_fits(wire: Wire, name: Name, selector: str) -> None:
    register(wire, name("s"))
    for n in range(1, 4):
        assert twice(lambda: by_version(wire, name("s"), selector)).ordinal == n
        register(wire, name("s"), V1 + b" " * n)


def test_kept_lists_of_versions_go_when_one_comes_changes_or_goes(wire: Wire, name: Name) -> None:
    def seen() -> Sequence[tuple[str, int, bool]]:
        asked = pb.GetSubjectVersionsRequest(subject=name("s"), include_deleted=True)
        rows = [
            (v.version, v.state, v.HasField("deleted_at"))
            for v in wire.call("GetSubjectVersions", asked).versions
        ]
        live = wire.call("ListVersions", pb.ListVersionsRequest(subject=name("s"))).versions
        assert list(live) == [version for version, _, deleted in rows if not deleted]
        return rows

    active, deprecated = pb.SCHEMA_STATE_ACTIVE, pb.SCHEMA_STATE_DEPRECATED
    first = register(wire, name("s"))
    assert twice(seen) == [("1.0.0", active, False)]
    second = register(wire, name("s"), V2_COMPATIBLE)
    assert twice(seen) == [("1.0.0", active, False), (second.version, active, False)]
    update(wire, first.schema_id, state=deprecated)
    assert twice(seen)[0] == ("1.0.0", deprecated, False)
    delete(wire, first.schema_id)
    assert twice(seen)[0][2]
    wire.call("UndeleteSchema", lifecycle_pb2.UndeleteSchemaRequest(schema_id=first.schema_id))
    assert not twice(seen)[0][2]
    delete(wire, first.schema_id)
    delete(wire, first.schema_id, permanent=True)
    assert [version for version, _, _ in twice(seen)] == [second.version]


def test_a_kept_absence_goes_when_the_subject_comes(wire: Wire, name: Name) -> None:
    assert twice(lambda: missing(wire, name("s")))
    register(wire, name("s"))

    assert not missing(wire, name("s"))


def test_a_write_over_one_wire_is_seen_over_the_other_at_once(servers: Any, name: Name) -> None:
    one, other = servers.wire("native"), servers.wire("http")
    for n in range(10):
        writer, reader = (one, other) if n % 2 else (other, one)
        made = register(writer, name("s"), V1 + b" " * n)
        assert twice(lambda: latest(reader, name("s"))).id == made.schema_id  # noqa: B023  # called at once


def test_a_kept_verdict_goes_when_the_level_changes(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    assert not twice(lambda: compatible(wire, name("s"), V2_BREAKING))
    for level, expected in ((NONE, True), (BACKWARD, False)):
        config = config_pb2.Config(compatibility_level=level)
        wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))
        assert twice(lambda: compatible(wire, name("s"), V2_BREAKING)) is expected


def test_a_kept_verdict_goes_when_the_contexts_level_changes(wire: Wire, name: Name) -> None:
    context = "." + name("c").replace(".", "-")
    register(wire, f":{context}:s")
    assert not twice(lambda: compatible(wire, f":{context}:s", V2_BREAKING))
    config = config_pb2.Config(compatibility_level=NONE)
    wire.call("SetConfig", config_pb2.SetConfigRequest(context=context, config=config))

    assert twice(lambda: compatible(wire, f":{context}:s", V2_BREAKING))


def test_a_kept_verdict_goes_when_the_versions_change(wire: Wire, name: Name) -> None:
    register(wire, name("s"), compatibility_level=NONE)
    ask = {"level": BACKWARD}
    assert not twice(lambda: compatible(wire, name("s"), V2_BREAKING, **ask))
    register(wire, name("s"), V2_BREAKING)
    assert twice(lambda: compatible(wire, name("s"), V2_BREAKING, **ask))
    assert not twice(lambda: compatible(wire, name("s"), V1, **ask))


def test_a_kept_verdict_goes_when_what_it_refers_to_changes(wire: Wire, name: Name) -> None:
    uri = f"https://example.com/{name('base')}"
    base = b'{"$id": "%s", "type": "string"}' % uri.encode()
    register(wire, name("base"), base, compatibility_level=NONE)
    newest = [pb.SchemaReference(name=uri, subject=name("base"), version="latest")]
    user = b'{"$ref": "%s"}' % uri.encode()
    register(wire, name("user"), user, references=newest)
    assert twice(lambda: compatible(wire, name("user"), user, references=newest))
    register(wire, name("base"), base.replace(b"string", b"integer"))

    assert not twice(lambda: compatible(wire, name("user"), user, references=newest))


def test_the_same_content_from_many_at_once_is_one_version(wire: Wire, name: Name) -> None:
    made = at_once([lambda: register(wire, name("s"))] * 20)
    assert not [m for m in made if isinstance(m, CallFailed)]
    answers = [m for m in made if not isinstance(m, CallFailed)]

    assert {(m.schema_id, m.version) for m in answers} == {(answers[0].schema_id, "1.0.0")}
    assert Counter(m.created for m in answers) == {True: 1, False: 19}


def test_different_contents_from_many_at_once_are_dense_and_in_order(wire: Wire, name: Name) -> None:
    def write(n: int) -> Callable[[], pb.RegisterSchemaResponse]:
        return lambda: register(wire, name("s"), V1 + b" " * n)

    made = at_once([write(n) for n in range(20)])
    answers = sorted((m for m in made if not isinstance(m, CallFailed)), key=lambda m: m.ordinal)

    assert [m.ordinal for m in answers] == list(range(1, 21)), made
    assert [m.version for m in answers] == [f"1.0.{n}" for n in range(20)]
    assert [m.revision for m in answers] == sorted(m.revision for m in answers)
    assert versions(wire, name("s")) == [m.version for m in answers]


def test_one_of_many_that_want_the_same_version_gets_it(wire: Wire, name: Name) -> None:
    register(wire, name("s"))

    def write(n: int) -> Callable[[], pb.RegisterSchemaResponse]:
        return lambda: register(wire, name("s"), V2_COMPATIBLE + b" " * n, version="1.1.0")

    made = at_once([write(n) for n in range(10)])
    lost = [m.reason for m in made if isinstance(m, CallFailed)]

    assert (len(made) - len(lost), set(lost)) == (1, {"VERSION_NOT_GREATER"})
    assert versions(wire, name("s")) == ["1.0.0", "1.1.0"]


def test_breaking_changes_at_once_are_judged_one_after_the_other(wire: Wire, name: Name) -> None:
    """Each alone fits the first version, none fits another: exactly one may win."""
    register(wire, name("s"), b'{"type": "object", "properties": {"a": false}}')

    def write(n: int) -> Callable[[], pb.RegisterSchemaResponse]:
        content = b'{"type": "object", "properties": {"a": {"const": %d}}}' % n
        return lambda: register(wire, name("s"), content)

    made = at_once([write(n) for n in range(8)])
    lost = [m.reason for m in made if isinstance(m, CallFailed)]

    assert (len(made) - len(lost), set(lost)) == (1, {"INCOMPATIBLE_SCHEMA"})


def test_readers_never_see_a_subject_go_back(wire: Wire, name: Name) -> None:
    register(wire, name("s"))

    def read() -> list[int]:
        seen = [0]
        while seen[-1] < 20:
            seen.append(latest(wire, name("s")).ordinal)
        return seen

    def write() -> list[int]:
        return [register(wire, name("s"), V1 + b" " * n).ordinal for n in range(1, 20)]

    outcomes = at_once([write, *[read] * 6])

    for seen in outcomes:
        assert not isinstance(seen, CallFailed)
        assert seen == sorted(seen)


@pytest.mark.slow
def test_deleting_undeleting_and_registering_at_once_leaves_a_whole_subject(wire: Wire, name: Name) -> None:
    made = [register(wire, name("s"), V1 + b" " * n) for n in range(4)]

    def churn(n: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(5):
                for change in (
                    lambda: delete(wire, made[n].schema_id),
                    lambda: wire.call(
                        "UndeleteSchema", lifecycle_pb2.UndeleteSchemaRequest(schema_id=made[n].schema_id)
                    ),
                    lambda: register(wire, name("s"), V1 + b" " * n),
                    lambda: latest(wire, name("s")),
                ):
                    try:
                        change()
                    except CallFailed as failure:
                        known = {"SCHEMA_NOT_FOUND", "VERSION_NOT_FOUND", "SUBJECT_NOT_FOUND", "ABORTED"}
                        if failure.reason not in known:
                            raise

        return run

    outcomes = at_once([churn(n) for n in range(4)])
    listed = wire.call(
        "GetSubjectVersions", pb.GetSubjectVersionsRequest(subject=name("s"), include_deleted=True)
    )

    assert not [o for o in outcomes if o is not None], outcomes
    assert [v.ordinal for v in listed.versions] == list(range(1, len(listed.versions) + 1))
