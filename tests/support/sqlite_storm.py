"""A process that registers versions as fast as it can and prints each one that was acknowledged; made to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from llm_schema_registry_server.storage.sqlite import SqliteStore
from tests.support.storage import register


async def storm(file: Path, worker: str) -> None:
    store = SqliteStore(file, synchronous="full")
    await store.open()

    async def writes(task: int) -> None:
        number = 0
        while True:
            subject, text = f"{worker}-{task % 3}", f"{worker} {task} {number}"
            async with store.write() as tx:
                made = await register(tx, subject, text)
            sys.stdout.write(
                f"{subject} {made.ordinal} {made.identity}\n"
            )  # one write call: never half a line
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*(writes(task) for task in range(6)))


if __name__ == "__main__":
    asyncio.run(storm(Path(sys.argv[1]), sys.argv[2]))
