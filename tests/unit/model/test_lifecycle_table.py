"""The lifecycle has eleven states, eighteen transitions, and no way out of its two final states."""

from llm_schema_registry_server.model.lifecycle import TRANSITIONS, SchemaState, allowed_from


def test_there_are_eleven_states_and_eighteen_transitions() -> None:
    assert len(SchemaState) == 11
    assert len(TRANSITIONS) == 18


def test_the_final_states_are_archived_and_abandoned() -> None:
    assert {s for s in SchemaState if not allowed_from(s)} == {SchemaState.ARCHIVED, SchemaState.ABANDONED}


def test_every_state_but_the_first_can_be_reached_from_draft() -> None:
    reached = {SchemaState.DRAFT}
    while more := {to for start in reached for to in allowed_from(start)} - reached:
        reached |= more

    assert reached == set(SchemaState)
