"""What became of an attempt to send one answer of a stream at once."""

from __future__ import annotations

from enum import Enum


class Pushed(Enum):
    """What became of an attempt to send one answer of a stream at once, without the task of the stream."""

    SENT = "the wire has it"
    NOTHING = "there is nothing to send"
    NOT_YET = "there is no room for it in the wire, or it is not made yet: to be tried again soon"
    PACED = "so much was sent in this moment that others wait: nobody is sent anything before the next one"
    UNFIT = "only the task of the stream can send it, or end with it"
