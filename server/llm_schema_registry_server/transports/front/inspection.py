"""What a front looks at in the bytes that it hands on."""

from __future__ import annotations

from collections.abc import Callable

FRAMES_PER_UNIT, UNPACKED_PER_UNIT = 32, 8192
"""Heads of frames, and bytes that come out of compressed messages, that take as long as one unit of a turn of the loop (turns.py)."""
UNITS_AT_ONCE = 8
"""What `incoming` takes, as far as it can tell before, until it leaves the rest for later."""
FRAMES_AT_ONCE = UNITS_AT_ONCE * FRAMES_PER_UNIT
"""The same in heads of frames."""


class Abuse(Exception):
    """The connection is to be cut. `why` in a few words; `setting`: that sets the bound, "" when it is a rule of the protocol."""

    def __init__(self, why: str, setting: str = "") -> None:
        super().__init__(why)
        self.why, self.setting = why, setting


class Inspection:
    """Looks at nothing."""

    unfinished = False
    """Whether there is more to do before the client is read again: call `incoming` with nothing once there is room for it."""
    held = False
    """Whether that is so because the engine has not taken up what it was given: `when_room` tells when to go on."""
    units = 0.0
    """What has been looked at, in units of a turn of the loop; whoever counts them sets it back."""

    def incoming(self, data: bytes) -> bytes:
        """What goes to the engine for bytes of the client. Raises Abuse."""
        return data

    def outgoing(self, data: bytes) -> bytes:
        """What goes to the client for bytes of the engine."""
        return data

    def answers(self) -> bytes:
        """What the front itself has to say to the client now."""
        return b""

    def when_room(self, go_on: Callable[[], None]) -> None:
        """Calls a function once what is `held` may go on."""

    def leaving(self) -> None:
        """The client should take new calls elsewhere: `answers` says so, where its protocol can."""

    def close(self) -> None:
        """The connection is gone."""


NONE = Inspection()
RESETS_SETTING = "grpc.resets_per_second"


def worthless_frames() -> Abuse:
    """Of frames with which a client makes work and asks for nothing."""
    return Abuse("they reset calls, or send frames that carry nothing", RESETS_SETTING)
