"""A folder, for their user alone, in which the supervisor tells the serving processes of one server about each other."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

_PREFIX = "schema-registry-"
_STATE, _SECRET, _NOTICES = "state.json", "secret", "supervisor.sock"


@dataclass(frozen=True, slots=True)
class Member:
    """One serving process. number: from 0; one that takes the place of another has its number. ready: it has said so. leaving: it was told
    to drain."""

    number: int
    pid: int
    ready: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """wanted: `server.workers`. supervisor: its process, which began at `started` (seconds since 1970). ports: by listener. fixed: settings that no process may see changed, by name.
    complete: all were ready once. restarts: by why. ended: the file with what processes that have ended have counted, "" without any."""

    wanted: int
    supervisor: int
    started: float
    ports: Mapping[str, int]
    fixed: Mapping[str, str]
    complete: bool = False
    members: tuple[Member, ...] = ()
    restarts: Mapping[str, int] = field(default_factory=dict)
    ended: str = ""

    @property
    def ready(self) -> int:
        """How many members are ready and stay."""
        return sum(1 for member in self.members if member.ready and not member.leaving)

    def member(self, pid: int) -> Member | None:
        """The member that is this process."""
        return next((member for member in self.members if member.pid == pid), None)

    def told(self, pid: int, **news: bool) -> State:
        """The state when a member has changed."""
        members = tuple(replace(m, **news) if m.pid == pid else m for m in self.members)
        state = replace(self, members=members)
        return replace(state, complete=state.complete or state.ready >= state.wanted)


class Place:
    """The folder, and what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def made(cls) -> Place:
        """A new one."""
        place = cls(Path(tempfile.mkdtemp(prefix=_PREFIX)))
        place._put(_SECRET, secrets.token_urlsafe(48).encode())
        return place

    @property
    def notices(self) -> Path:
        """The socket (datagrams) on which the supervisor is told what processes become."""
        return self.folder / _NOTICES

    @property
    def secret(self) -> str:
        """What all processes of the server know, and nobody else."""
        return (self.folder / _SECRET).read_text()

    def socket(self, pid: int) -> Path:
        """Where a process tells its page of series."""
        return self.folder / f"{pid}.sock"

    def page(self, pid: int) -> Path:
        """The last page that a process has told."""
        return self.folder / f"{pid}.page"

    def ended(self, number: int) -> str:
        """The name of the file with what ended processes have counted, after so many have ended."""
        return f"ended-{number}.page"

    def read(self) -> State:
        """What the supervisor has told last. Raises OSError when it and the folder are gone."""
        found = orjson.loads((self.folder / _STATE).read_bytes())
        members = tuple(Member(**member) for member in found.pop("members"))
        return State(members=members, **found)

    def write(self, state: State) -> None:
        """Tells a state."""
        self._put(_STATE, orjson.dumps(asdict(state)))

    def put(self, file: Path, data: bytes) -> None:
        """Writes a file of the folder as a whole: who reads it finds the old or the new one."""
        self._put(file.name, data)

    def _put(self, name: str, data: bytes) -> None:
        part = self.folder / f"{name}.{os.getpid()}.part"
        part.write_bytes(data)
        part.replace(self.folder / name)
