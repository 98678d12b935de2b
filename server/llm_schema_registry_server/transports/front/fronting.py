"""From the settings of a listener to the front that stands before its engine, where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...calls.peer import BehindFront, TrustedProxies
from ...settings import ListenerName, ProxiesSettings, TlsSettings
from ..connection_guard import most_descriptors
from ..listener import Listener
from .calls import CallBounds
from .context import TlsFiles
from .ends import Ends
from .front import FrontBounds
from .listener import INNER_HOST, FrontListener

_DESCRIPTORS = 3
"""File descriptors of one connection: the client's, and both ends of the one to the engine."""


@dataclass(frozen=True, slots=True)
class Fronting:
    """Where the engine of a listener binds, and who its callers are, `plain` by the ends of connections to `outer`. `there`: a front
    stands before it; `secure`: which speaks TLS. shared: other processes listen on the port, too."""

    name: ListenerName
    settings: TlsSettings
    host: str
    port: int
    proxies: TrustedProxies
    plain: TrustedProxies
    secure: bool
    there: bool
    ends: Ends = field(default_factory=Ends)
    outer: tuple[str, int] = ("", 0)
    shared: bool = False

    def listener(
        self,
        engine: Listener,
        alpn: Sequence[str],
        *,
        per_address: int = 0,
        resets_per_second: int = 100,
        incomplete_calls: int = 1024,
        refusals_per_second: int = 200,
        protocol: str = "",
        calls: CallBounds | None = None,
        apart: bool = False,
    ) -> Listener:
        """What owns the port: the engine itself, or a front before it. per_address: connections of one address, 0: a share of the file
        descriptors that the process may have. resets_per_second, incomplete_calls, refusals_per_second, calls: see FrontBounds. protocol: see Front. apart: see FrontListener."""
        if not self.there:
            return engine
        host, port = self.outer
        return FrontListener(
            engine,
            host,
            port,
            files=TlsFiles(self.settings, self.settings.asks(self.name), alpn) if self.secure else None,
            ends=self.ends,
            bounds=FrontBounds(
                per_address=per_address or most_descriptors() // (2 * _DESCRIPTORS),
                resets_per_second=resets_per_second,
                incomplete_calls=incomplete_calls,
                refusals_per_second=refusals_per_second,
                calls=calls,
                handshakes=self.settings.handshakes,
                handshake_seconds=self.settings.handshake_seconds,
                exempt=self.plain.trusts,
            ),
            reload_seconds=self.settings.reload_seconds,
            protocol=protocol,
            apart=apart,
            shared=self.shared,
        )


def fronting(
    name: ListenerName,
    host: str,
    port: int,
    settings: TlsSettings,
    proxies: ProxiesSettings,
    *,
    always: bool = False,
    shared: bool = False,
) -> Fronting:
    """For the listener `name` that is to be reached at `host:port`. always: there is a front without TLS, too. shared: other processes
    listen on the port, too."""
    plain = TrustedProxies(proxies.trusted, proxies.header)
    secure = settings.speaks(name)
    if not (secure or always):
        return Fronting(name, settings, host, port, plain, plain, secure=False, there=False)
    ends = Ends()
    behind = BehindFront(ends.find, proxies.trusted, proxies.header, field=ends.field)
    return Fronting(name, settings, INNER_HOST, 0, behind, plain, secure, True, ends, (host, port), shared)
