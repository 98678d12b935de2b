"""How many processes serve."""

from __future__ import annotations

from pydantic import Field

from .section import Section


class ServerSettings(Section):
    workers: int = Field(1, ge=1, le=64)
    """Processes that serve on the same ports, each with an event loop, caches, limits and `workers.processes` subprocesses of its own, and
    a supervisor that starts them again: about one for each core that they shall use (docs/deployment.md, "All cores of a machine"). Needs
    Linux, and storage that processes can share: sqlite or postgres."""
    hang_seconds: float = Field(30.0, ge=0)
    """A serving process whose event loop has not come to a turn for so long is killed, and another one takes its place; 0: none is. Only
    with several of them: nobody watches a single one."""
