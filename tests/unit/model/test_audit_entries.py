"""The canonical form of an entry: all of its fields, one form for one meaning, bounded whatever callers send."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry_server.model.audit import (
    FIELDS,
    MOST_FACTS,
    MOST_RESOURCES,
    AuditEntry,
    AuditEvent,
    AuditOutcome,
    AuditResource,
    AuditSeverity,
    clean,
    completed,
    decode,
    encode,
)
from tests.support.audit import entry

HOSTILE = st.text(st.characters(), max_size=600)


def test_every_field_is_in_it() -> None:
    assert {"v", "severity", *FIELDS} == json.loads(encode(entry())).keys()
    assert {f.name for f in fields(AuditEntry)} == set(FIELDS)


def test_it_is_json_as_rfc_8785_writes_it() -> None:
    text = encode(entry(principal='Zoë "\\ 漢', facts={"b": "1", "a": "/"}))

    assert text == json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert '"at":"2026-' in text
    assert decode(text) == entry(principal='Zoë "\\ 漢', facts={"b": "1", "a": "/"})


@given(HOSTILE, HOSTILE, HOSTILE)
def test_what_callers_send_is_bounded_printable_and_read_as_it_was_written(a: str, b: str, c: str) -> None:
    hostile = entry(
        principal=a, user_agent=b, request_id=c, resources=(AuditResource(a, b),) * 300, facts={a: b, b: c}
    )
    text = encode(hostile)

    assert text.isprintable()
    assert len(text.encode()) < 64 * 1024
    assert encode(decode(text)) == text
    assert decode(text).more_resources == 300 - MOST_RESOURCES + 1


def test_texts_are_cut_and_lists_are_counted() -> None:
    many = entry(principal="x" * 1000, facts={str(n): "v" for n in range(100)})

    assert len(decode(encode(many)).principal) == 255
    assert len(decode(encode(many)).facts) == MOST_FACTS
    assert clean("a\x1b[31m\n\ud800") == "a\\u001b[31m\\u000a\\ud800"
    assert clean(clean("\x00" * 300)) == clean("\x00" * 300)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        encode(entry()).replace(":1,", ": 1,"),
        encode(entry()).replace('"v":1', '"v":2'),
        encode(entry()).replace("SCHEMA_REGISTERED", "NOTHING"),
        encode(entry()).replace('"INFO"', '"CRITICAL"'),
        encode(entry())[:-1] + ',"zzz":1}',
        encode(entry()).replace('"code":"OK"', '"code":7'),
    ],
)
def test_another_text_is_no_entry(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


def test_the_revision_is_filled_in() -> None:
    whole = replace(entry(), revision=7)
    made = completed(encode(entry()), 7)

    assert decode(made.text) == whole
    names = ("at", "principal", "operation", "event", "outcome", "severity", "resources")
    assert made[1:] == tuple(getattr(whole, name) for name in names)
    assert completed(encode(entry()), 0).text == encode(entry())


@pytest.mark.parametrize("member", ["v", "severity", *FIELDS])
@pytest.mark.parametrize("wrong", [None, [], {}, 1.5, True, "x", 2**70])
def test_what_is_no_entry_gets_no_revision(member: str, wrong: object) -> None:
    members = json.loads(encode(entry()))
    without = {name: value for name, value in members.items() if name != member}
    for altered in (without, {**members, "more": 1}):
        with pytest.raises(ValueError, match=r".+"):
            completed(json.dumps(altered, sort_keys=True, separators=(",", ":")), 7)
    if type(wrong) is not type(members[member]):
        with pytest.raises(ValueError, match=r".+"):
            completed(json.dumps({**members, member: wrong}, sort_keys=True, separators=(",", ":")), 7)


def test_what_is_denied_is_at_least_a_warning() -> None:
    assert entry().severity is AuditSeverity.INFO
    assert entry(outcome=AuditOutcome.DENIED).severity is AuditSeverity.WARNING
    assert (
        entry(event=AuditEvent.SCHEMA_DELETED, outcome=AuditOutcome.DENIED).severity
        is AuditSeverity.IMPORTANT
    )
    assert entry(event=AuditEvent.AUTHENTICATION_FAILURE).severity is AuditSeverity.WARNING
