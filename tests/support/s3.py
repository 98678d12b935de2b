"""An S3 API: moto's server in a process of its own, and a proxy before it that has the faults a test asks for."""

from __future__ import annotations

import asyncio
import enum
import os
import signal
import subprocess
import sys
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session

from .ports import HeldPort
from .processes import run
from .proxies import Proxy
from .waiting import listening, until

SESSION = get_session()  # one for all: it reads the description of S3 only once

CREDENTIALS = {"access_key": "test", "secret_key": "test"}


class S3Server:
    """Starts empty; `stop` ends it, `start` begins again at the same port."""

    def __init__(self, directory: Path) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self._log = directory / "moto.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._process = self._spawn()
        await until(self._listening)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        # Nothing of the machine's own AWS settings reaches the server.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        with self._log.open("ab") as log:
            return run().spawn(command, stdout=log, stderr=log, env=environment)

    async def _listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        return await listening(self.port)


class Bucket:
    """A bucket, new unless named, and a plain client for it: what somebody else sees and does there."""

    def __init__(self, endpoint: str, name: str = "") -> None:
        self.name = name or f"test-{uuid.uuid4()}"
        self.endpoint = endpoint
        self._stack = AsyncExitStack()
        self.client: Any = None  # made at run time, without types

    async def __aenter__(self) -> Bucket:
        making = SESSION.create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.client = await self._stack.enter_async_context(making)
        await self.client.create_bucket(Bucket=self.name)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def keys(self) -> list[str]:
        found = await self.client.list_objects_v2(Bucket=self.name)
        return [each["Key"] for each in found.get("Contents", ())]

    async def put(self, key: str, data: bytes) -> None:
        await self.client.put_object(Bucket=self.name, Key=key, Body=data)

    async def delete(self, key: str) -> None:
        await self.client.delete_object(Bucket=self.name, Key=key)

    async def head(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.client.head_object(
            Bucket=self.name, Key=key, ChecksumMode="ENABLED"
        )
        return found


class Fault(enum.Enum):
    """What the proxy does with a connection: nothing; close it; take it and never answer; answer 500; cut the answer; answer late;
    change a byte of what is read."""

    NONE = enum.auto()
    AWAY = enum.auto()
    SILENT = enum.auto()
    ERROR = enum.auto()
    CUT = enum.auto()
    SLOW = enum.auto()
    WRONG = enum.auto()


SLOW_SECONDS = 0.3


class FaultyProxy(Proxy):
    """Passes bytes on to a port, or does what `fault` says. Counts the connections in `seen`."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.fault = Fault.NONE
        self.seen = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request for each connection: a fault that begins or ends is felt by the next request."""
        self.seen += 1
        if self.fault is Fault.AWAY:
            return
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        if b"100-continue" in head.lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(length)
        if self.fault is Fault.SILENT:
            await asyncio.get_running_loop().create_future()
        if self.fault is Fault.ERROR:
            writer.write(
                b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
            return
        if self.fault is Fault.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        answer = await self._passed_on(head, body)
        if self.fault is Fault.WRONG and head.startswith(b"GET") and answer.startswith(b"HTTP/1.1 200"):
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        writer.write(answer[: len(answer) - 10] if self.fault is Fault.CUT else answer)
        await writer.drain()

    async def _passed_on(self, head: bytes, body: bytes) -> bytes:
        request, *lines = head.rstrip(b"\r\n").split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith((b"connection:", b"expect:"))]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            writer.write(b"\r\n".join([request, *kept, b"Connection: close", b"", b""]) + body)
            return await reader.read(-1)
        finally:
            writer.close()
