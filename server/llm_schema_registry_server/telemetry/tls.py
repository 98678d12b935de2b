"""The series of the listeners that speak TLS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import Metric

from . import families as f


class Fronted(Protocol):
    """A listener that speaks TLS: see transports/front/listener.py."""

    @property
    def name(self) -> str: ...
    @property
    def handshakes(self) -> Mapping[str, int]: ...
    @property
    def open(self) -> int: ...
    @property
    def expires(self) -> float: ...


def collect_tls(listeners: Sequence[Fronted]) -> Iterable[Metric]:
    """What the listeners count by themselves. Outcomes of handshakes are a few words of ours, never a client's."""
    handshakes, connections = f.TLS_HANDSHAKES.counter(), f.TLS_CONNECTIONS.gauge()
    expires = f.TLS_EXPIRES.gauge()
    for listener in listeners:
        for outcome, count in tuple(listener.handshakes.items()):
            handshakes.add_metric((listener.name, outcome), count)
        connections.add_metric((listener.name,), listener.open)
        expires.add_metric((listener.name,), listener.expires)
    return handshakes, connections, expires
