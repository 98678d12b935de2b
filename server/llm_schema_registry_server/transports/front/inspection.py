"""What a front looks at in the bytes that it hands on."""

from __future__ import annotations

from collections.abc import Callable

from .frames import FrameMeter


class Abuse(Exception):
    """The connection is to be cut. `why` in a few words; `setting`: that sets the bound, "" when it is a rule of the protocol."""

    def __init__(self, why: str, setting: str = "") -> None:
        super().__init__(why)
        self.why, self.setting = why, setting


class Inspection:
    """Looks at nothing."""

    unfinished = False
    """Whether there is more to do before the client is read again: call `incoming` with nothing on a later turn of the loop."""

    def incoming(self, data: bytes) -> bytes:
        """What goes to the engine for bytes of the client. Raises Abuse."""
        return data

    def outgoing(self, data: bytes) -> bytes:
        """What goes to the client for bytes of the engine."""
        return data

    def answers(self) -> bytes:
        """What the front itself has to say to the client now."""
        return b""

    def leaving(self) -> None:
        """The client should take new calls elsewhere: `answers` says so, where its protocol can."""

    def close(self) -> None:
        """The connection is gone."""


NONE = Inspection()
RESETS_SETTING = "grpc.resets_per_second"


class FrameInspection(Inspection):
    """Of HTTP/2: whether a client sends frames that callers need. `spend` notes the cost of frames, and whether there was room for it."""

    def __init__(self, spend: Callable[[float], bool]) -> None:
        self._meter, self._spend = FrameMeter(), spend

    def incoming(self, data: bytes) -> bytes:
        """The same bytes. Raises Abuse."""
        cost = self._meter.cost(data)
        if cost and not self._spend(cost):
            raise worthless_frames()
        return data


def worthless_frames() -> Abuse:
    """Of frames with which a client makes work and asks for nothing."""
    return Abuse("they reset calls, or send frames that carry nothing", RESETS_SETTING)
