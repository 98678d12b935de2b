"""Ends connections of callers that begin calls only to reset them ("rapid reset", CVE-2023-44487).

A call that was reset is no longer open, so that no bound on what is open at a time holds it back; yet each costs the engine a good part of
what a real one costs. A few are normal: deadlines pass, callers change their minds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import unquote

import grpc
from grpc import aio

from ...telemetry import logs
from ...telemetry.budget import LogBudget, minutes
from ..reset_budget import ResetBudget
from ..tcp import shut_down

_LOG = logs.get("transports.grpc")


class ResetGuard:
    """Lets each address reset `per_second` calls before they are answered, and five times as many at once; a connection to `port` that
    resets more is ended. `shared`: tells peers behind which many callers are (proxies); there each connection counts for itself.
    `named`: how a peer is told in the log.
    """

    def __init__(
        self,
        port: int,
        per_second: int,
        shared: Callable[[str], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        cut: Callable[[int, frozenset[str]], object] = shut_down,
        named: Callable[[str], str] = str,
    ) -> None:
        self._named = named
        self._port, self._shared, self._cut = port, shared, cut
        self._resets = ResetBudget(per_second, clock)
        self._cutting: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._budget = LogBudget(1, minutes)

    def note(self, peer: str) -> None:
        """A connection (`ipv4:10.0.0.7:4711`) has reset a call that was not answered yet."""
        if "%" in peer:  # grpc-core escapes the brackets of IPv6
            peer = unquote(peer)
        caller = peer if self._shared(peer) else peer.rpartition(":")[0]
        if not self._resets.spend(caller) and peer not in self._cutting:
            self._cutting.add(peer)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._cut_all(), name="cut connections that reset")

    async def stop(self) -> None:
        """Cuts no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _cut_all(self) -> None:
        while self._cutting:
            peers = frozenset(self._cutting)
            told = self._named(min(peers))
            await asyncio.to_thread(self._cut, self._port, peers)
            self._cutting -= peers
            if (left_out := self._budget.take(self._port)) is not None:
                _LOG.warning(
                    "connections_cut",
                    why="they reset calls as soon as they have begun",
                    peer=told,
                    setting="grpc.resets_per_second",
                    left_out_before=left_out,
                )


_LOOK_EACH = 256


class WatchedHandlers(grpc.GenericRpcHandler):
    """Handlers of grpcio that notice calls which are reset before their message has come.

    grpcio calls no handler for those, and so nobody learns from whom they are. It costs something to learn it; only when many calls of
    late were begun and not handed to a handler (`handed`) does this take the way on which it does. `taken` is told the metadata of every call.
    """

    def __init__(self, note: Callable[[str], None], taken: Callable[[Any], None]) -> None:
        self._taken = taken
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._note = note
        self._begun = 0
        self._unseen = 0
        self.handed = 0
        """Calls whose handler was called; counted by the handlers."""
        self.suspicious = False

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """As a server's."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service_name: str, handlers: object) -> None:
        """As a server's: generated code registers each handler in both ways, and one is enough."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a call."""
        self._begun += 1
        self._taken(handler_call_details.invocation_metadata or ())
        if self._begun % _LOOK_EACH == 0:
            unseen = self._begun - self.handed
            self.suspicious = unseen - self._unseen > _LOOK_EACH // 2
            self._unseen = unseen
        for handler in self._handlers:
            found = handler.service(handler_call_details)
            if found is not None:
                return self._watched(found) if self.suspicious else found
        return grpc.stream_unary_rpc_method_handler(self._unknown) if self.suspicious else None

    def _watched(self, found: Any) -> Any:
        """A handler that takes the message itself."""
        if found.request_streaming:
            return found
        serialization = (found.request_deserializer, found.response_serializer)
        if found.response_streaming:

            async def stream(_: object, context: Any) -> None:
                request = await self._message(context)
                if request is not aio.EOF:
                    await found.unary_stream(request, context)

            return grpc.stream_stream_rpc_method_handler(stream, *serialization)

        async def unary(_: object, context: Any) -> Any:
            request = await self._message(context)
            if request is aio.EOF:
                return b""  # to nobody
            return await found.unary_unary(request, context)

        return grpc.stream_unary_rpc_method_handler(unary, *serialization)

    async def _message(self, context: Any) -> object:
        """The message of a call, EOF when it was reset before."""
        try:
            request = cast(object, await context.read())
        except asyncio.CancelledError:
            self._note(context.peer())
            raise
        if request is aio.EOF:
            self._note(context.peer())
        return request

    async def _unknown(self, _: object, context: Any) -> None:
        await self._message(context)
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
