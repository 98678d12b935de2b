"""What a supervisor makes of processes that end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from llm_schema_registry_server.siblings.place import Member, Place, State
from llm_schema_registry_server.supervisor.process import LONGEST_DELAY_SECONDS, Delays


def test_the_first_end_costs_nothing_and_each_further_one_more() -> None:
    delays = Delays()
    seconds = [delays.after(steady=False) for _ in range(10)]

    assert seconds[:4] == [0.0, 0.5, 1.0, 2.0]
    assert seconds == sorted(seconds)
    assert seconds[-1] == LONGEST_DELAY_SECONDS
    for _ in range(2000):
        assert delays.after(steady=False) == LONGEST_DELAY_SECONDS


def test_one_that_has_served_for_a_while_begins_anew() -> None:
    delays = Delays()
    for _ in range(5):
        delays.after(steady=False)

    assert [delays.after(steady=True), delays.after(steady=False)] == [0.0, 0.5]


def test_a_state_reads_as_it_was_told_and_is_for_its_user_alone() -> None:
    place = Place.made()
    state = State(2, 7, 0.0, {"grpc": 1}, {"server.workers": "2"}, members=(Member(0, 11), Member(1, 12)))
    place.write(state)

    assert Place(place.folder).read() == state
    assert place.folder.stat().st_mode & 0o077 == 0
    assert len(place.secret) >= 32
    for file in place.folder.iterdir():
        file.unlink()
    place.folder.rmdir()


def test_all_were_there_once_whatever_becomes_of_them() -> None:
    state = State(2, 7, 0.0, {}, {}, members=(Member(0, 11), Member(1, 12)))
    one = state.told(11, ready=True)
    both = one.told(12, ready=True)
    gone = both.told(11, leaving=True)

    assert [s.ready for s in (state, one, both, gone)] == [0, 1, 2, 1]
    assert [s.complete for s in (state, one, both, gone)] == [False, False, True, True]


def test_a_supervisor_loads_neither_engines_nor_listeners() -> None:
    code = (
        "import sys; import llm_schema_registry_server.supervisor.supervising; "
        "print([m for m in sys.modules if m.split('.')[0] in ('grpc', 'granian', 'asyncpg', 'sqlite3', 'google')"
        " or m.startswith('llm_schema_engines.formats')])"
    )
    path = ":".join(str(Path(__file__).parents[3] / part) for part in ("engines", "server", "clients/python"))
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"
