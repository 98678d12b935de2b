"""The gRPC listener of a server: the engine that its settings choose, with health and reflection."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...calls.peer import TrustedProxies
from ...queues.fair_queue import FairQueue, Queues
from ...rpc.protobuf.rpcs import Rpcs
from ...settings import GrpcSettings
from ..connection_guard import ConnectionGuard
from ..request_memory import request_memory
from ..unread import Unread
from .grpcio import GrpcioBounds, GrpcioEngine
from .health import SERVICE_NAME as HEALTH
from .health import HealthService, HealthSource
from .reflection import SERVICES as REFLECTION
from .reflection import add_reflection

if TYPE_CHECKING:
    from .native import NativeEngine


_MEMORY_BYTES = 256 * 1024 * 1024
"""For large requests, where no memory is given that is shared with other ports."""


class GrpcListener:
    """Owns the gRPC port. Large requests take room in `memory`. `health` is asked
    every `health_seconds`, and may take `health_patience`."""

    name = "grpc"

    def __init__(
        self,
        settings: GrpcSettings,
        rpcs: Rpcs,
        health: HealthSource,
        *,
        unread: Unread,
        proxies: TrustedProxies,
        memory: FairQueue | None = None,
        health_seconds: float = 2.0,
        health_patience: float = 3.0,
    ) -> None:
        if memory is None:
            memory = request_memory(Queues(), _MEMORY_BYTES, largest=settings.max_message_bytes)
        self._per_address, self._proxies = settings.connections_per_address, proxies
        services = tuple(dict.fromkeys(m.service for m in rpcs.methods.values()))
        self.health = HealthService(health, services, health_seconds, health_patience)
        described = (*services, HEALTH)
        self.services = (*described, *REFLECTION)
        """Full names of all services on the port."""

        def grpcio(address: str) -> GrpcioEngine:
            return GrpcioEngine(
                rpcs,
                address,
                bounds=GrpcioBounds(
                    message_bytes=settings.max_message_bytes,
                    streams_per_connection=settings.streams_per_connection,
                    pending_calls=settings.pending_calls,
                    resets_per_second=settings.resets_per_second,
                ),
                memory=memory,
                unread=unread,
                proxies=proxies,
                extras=(
                    self.health.add_to,
                    *((partial(add_reflection, services=described),) if settings.reflection else ()),
                ),
            )

        self._engine: GrpcioEngine | NativeEngine
        if engine_name(settings) == "native":
            from .native import (
                NativeBounds,
                NativeEngine,  # at run time only where it is used: not every system has its package
            )

            self._engine = NativeEngine(
                rpcs,
                settings.host,
                settings.port,
                bounds=NativeBounds(
                    message_bytes=settings.max_message_bytes,
                    unread_bytes=settings.unread_bytes,
                    streams_per_connection=settings.streams_per_connection,
                    line_bytes=settings.memory_line_bytes,
                    resets_per_second=settings.resets_per_second,
                ),
                memory=memory,
                unread=unread,
                behind=grpcio,
                proxies=proxies,
            )
        else:
            self._engine = grpcio(f"{settings.host}:{settings.port}")

    @property
    def port(self) -> int:
        """The bound port."""
        return self._engine.port

    async def start(self) -> None:
        """Binds and serves. Raises ListenError."""
        await self.health.refresh()  # the first check is answered with the truth
        await self._engine.start()
        self._guard = ConnectionGuard(self.port, self._per_address, self._proxies.trusts)
        self._guard.start()
        self.health.follow()

    async def drain(self, seconds: float) -> None:
        """Finishes what is in flight and closes."""
        await self.health.leave()
        await self._engine.drain(seconds)
        await self._guard.stop()


def engine_name(settings: GrpcSettings) -> str:
    """`native` or `grpcio`."""
    if settings.engine == "auto":
        return "native" if find_spec("pygrpc_native") is not None else "grpcio"
    return settings.engine
