"""The command `repair`: what it prints, what it changes, and its exit codes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.e2e.test_start import command, errors


def settings_of(home: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(home / "registry.db") as connection:
        found = connection.execute("SELECT scope, settings FROM configs ORDER BY scope").fetchall()
    connection.close()
    return found


def test_repair_says_what_it_would_do_and_does_it_when_told_to(tmp_path: Path) -> None:
    assert command(tmp_path, "migrate").returncode == 0
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        connection.execute("INSERT INTO configs VALUES ('context:x', '{')")
    connection.close()

    trial = command(tmp_path, "repair")
    assert (trial.returncode, settings_of(tmp_path)) == (3, [("context:x", "{")])
    assert errors(trial).startswith("configs context:x: its settings are not readable")
    assert json.loads(trial.stdout) == {
        "dry_run": True,
        "found": {"configs": 1},
        "mended": 0,
        "beyond_repair": 0,
    }

    done = command(tmp_path, "repair", "--apply")
    assert (done.returncode, settings_of(tmp_path)) == (0, [])
    assert json.loads(done.stdout)["mended"] == 1

    again = command(tmp_path, "repair")
    assert (again.returncode, json.loads(again.stdout)["found"]) == (0, {})
