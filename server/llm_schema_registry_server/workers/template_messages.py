"""What a server and the template of its worker processes say to each other: words and numbers, a packet each."""

from __future__ import annotations

READY, FORK, FORKED, NOT_FORKED, ENDED, REAP = "ready", "fork", "forked", "not_forked", "ended", "reap"


def say(what: str, *numbers: int) -> bytes:
    """One packet."""
    return " ".join((what, *map(str, numbers))).encode()


def parse(packet: bytes) -> tuple[str, *tuple[int, ...]]:
    """What was said."""
    what, *numbers = packet.decode().split()
    return what, *map(int, numbers)
