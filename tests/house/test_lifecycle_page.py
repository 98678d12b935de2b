"""docs/lifecycle.md says what the tables of the code say."""

from __future__ import annotations

import re
from pathlib import Path

from llm_schema_registry_server.model.change import EventType
from llm_schema_registry_server.model.lifecycle import (
    EVER_REGISTERED,
    SELECTABLE,
    TRANSITIONS,
    SchemaState,
    allowed_from,
)
from llm_schema_registry_server.registry.existing import ACTIONS
from llm_schema_registry_server.registry.recording import EVENTS

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text()


def rows(title: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    section = PAGE.split(f"\n## {title}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def yes(value: bool) -> str:
    return "yes" if value else "no"


def test_every_state_is_described() -> None:
    told = {row[0]: row[2:] for row in rows("States")}

    assert told == {
        s.name: [yes(s in SELECTABLE), yes(s in EVER_REGISTERED), yes(not allowed_from(s))]
        for s in SchemaState
    }


def test_every_transition_is_told_with_its_trigger_and_event() -> None:
    def event(start: SchemaState, end: SchemaState) -> str:
        if start is end:
            return EventType.SCHEMA_UPDATED.name
        return EVENTS.get(end, EventType.SCHEMA_UPDATED).name

    assert rows("Transitions") == [
        [start.name, end.name, trigger, event(start, end)] for (start, end), trigger in TRANSITIONS.items()
    ]


def test_what_a_registration_does_is_told_for_every_state() -> None:
    told = {row[0]: row[1:] for row in rows("Registering content that is there already")}

    assert told == {state.name: [action.name for action in row] for state, row in ACTIONS.items()}
