"""A provider of language models on this machine, for demonstrations and tests: the wires of OpenAI, Anthropic and Gemini.

It answers what it was told to answer. It refuses what the real one refuses, as the profiles of this project say (docs/llm/profiles.md), and
where the schema is enforced it refuses to answer what the real one could not have written. No model, and no call of a real provider.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from fake_wires import WIRES, Wire

from llm_schema_engines import Fit, Support, check_for, validate

PIECE = 6
"""Characters of a piece of a stream."""


@dataclass
class FakeProvider:
    """What it answers next, and what it was asked. `pause`: seconds between the pieces of a stream."""

    url: str = ""
    answers: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    """Characters of the last streamed answer that went out."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when a reader closes a stream before its end."""
    pause: float = 0.002

    def will_answer(self, *answers: str) -> None:
        """Answer the next requests with these texts, each the JSON of an answer or of the arguments of a call."""
        self.answers[:] = answers
        self.asked.clear()
        self.stopped.clear()

    async def handle(self, request: web.Request, wire: Wire) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        wanted = wire.wanted(body)
        refusal = self._refusal(wanted)
        if refusal:
            return web.json_response(wire.error(400, refusal), status=400)
        if not self.answers:
            return web.json_response(wire.error(500, "nothing is left to be answered"), status=500)
        answer = self.answers.pop(0)
        if wanted is not None and wanted.enforced and not validate(wanted.schema_text, answer):
            what = f"a provider that enforces this schema does not write {answer[:200]}"
            return web.json_response(wire.error(500, what), status=500)
        called = wanted.tool if wanted is not None else ""
        if wire.streams(request.path, body):
            return await self._stream(request, wire.events(answer, called, PIECE))
        return web.json_response(wire.whole(answer, called))

    def _refusal(self, wanted: Any) -> str:
        """Why the provider refuses the request, "" when it does not."""
        if wanted is None:
            return ""
        report = check_for(wanted.schema_text, wanted.profile, name=wanted.tool)[wanted.profile]
        refused = [f for f in report.findings if f.support is Support.REJECTED]
        if report.fit is not Fit.REFUSED:
            return ""
        return (
            f"Invalid schema: {refused[0].pointer or '(root)'}: {refused[0].message}"
            if refused
            else str(report.findings[0])
        )

    async def _stream(self, request: web.Request, events: Iterator[tuple[str, str]]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        self.sent = 0
        try:
            for text, event in events:
                await response.write(event.encode())
                self.sent += len(text)
                await asyncio.sleep(self.pause)
        except (ConnectionResetError, asyncio.CancelledError):
            self.stopped.set()
            raise
        return response


def application(provider: FakeProvider) -> web.Application:
    app = web.Application(client_max_size=16 * 1024 * 1024)
    for path, wire in WIRES.items():
        app.router.add_post(path, _handler(provider, wire))
    return app


def _handler(provider: FakeProvider, wire: Wire) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await provider.handle(request, wire)

    return handle


@contextmanager
def serving(**options: Any) -> Iterator[FakeProvider]:
    """A provider on a free port of this machine, in a thread of its own, for as long as the `with` block lasts."""
    provider = FakeProvider(**options)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application(provider), handler_cancellation=True, shutdown_timeout=1.0)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        provider.url = f"http://{host}:{port}"

    thread = threading.Thread(target=loop.run_forever, name="fake-provider", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
