"""A client that does not read its stream."""

from __future__ import annotations

from ..errors import Code, RegistryError


class ReaderStalled(RegistryError):
    """Nothing of a stream was taken for too long; what was sent last says where to resume."""

    code = Code.ABORTED
    reason = "READER_STALLED"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the client took nothing from the stream for {seconds:g} s; "
            "read faster, and resume after the last message that arrived"
        )
