"""The registry at work on real schemas, in one command: `make demo`.

Starts a server, follows its change stream, registers two consecutive revisions of every schema of the catalogue, shows
what the registry decided about each second revision, validates documents, and checks that the stream told it all.
Ends with status 1 when anything differs from what catalogue.toml expects.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from catalogue import Case, own, real
from outcome import DocumentOutcome, Outcome
from report import outcome_table, stream_lines, totals, validation_table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from served import server

from llm_schema_registry import (
    AsyncSchemaRegistry,
    AsyncWatch,
    ChangeEvent,
    EventType,
    Registration,
    RegistryError,
)

AT_ONCE = 16
"""Registrations under way at the same time."""

WIDTH = 80
"""Columns of the output when it goes to a file."""

STREAM_SECONDS = 30.0
"""How long the change stream may lag behind the last write."""


class Follower:
    """Collects the registrations that the change stream tells of."""

    def __init__(self, watch: AsyncWatch) -> None:
        self.events: list[ChangeEvent] = []
        self._watch = watch
        self._task = asyncio.create_task(self._follow())
        self._arrived = asyncio.Condition()

    async def _follow(self) -> None:
        async for event in self._watch:
            async with self._arrived:
                self.events.append(event)
                self._arrived.notify_all()

    async def until(self, count: int) -> None:
        """Return when `count` events have come, or after STREAM_SECONDS."""
        try:
            async with asyncio.timeout(STREAM_SECONDS), self._arrived:
                await self._arrived.wait_for(lambda: len(self.events) >= count)
        except TimeoutError:
            return  # the comparison that follows says what is missing

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def register(client: AsyncSchemaRegistry, case: Case, content: bytes) -> Registration | RegistryError:
    try:
        return await client.register_schema(
            case.subject,
            content,
            case.schema_type,
            references=case.references,
            metadata={"source": case.subject.partition("/")[0]},
        )
    except RegistryError as error:
        return error


async def register_all(
    client: AsyncSchemaRegistry, outcomes: Sequence[Outcome], revision: str, progress: Progress
) -> None:
    """Register the `first` or the `second` revision of every case: ours one after the other, the rest in parallel."""
    bar = progress.add_task(f"{revision} revisions", total=len(outcomes))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(outcome: Outcome) -> None:
        async with gate:
            content: bytes = getattr(outcome.case, revision)
            setattr(outcome, revision, await register(client, outcome.case, content))
            progress.advance(bar)

    for outcome in outcomes:
        if outcome.case.ours:
            await one(outcome)
    await asyncio.gather(*(one(outcome) for outcome in outcomes if not outcome.case.ours))


async def validate_all(client: AsyncSchemaRegistry, outcomes: Sequence[Outcome]) -> list[DocumentOutcome]:
    """Validate every document of every case against the first revision."""
    return [
        DocumentOutcome(outcome.case, document, await client.validate_data(first.schema_id, document.content))
        for outcome in outcomes
        if isinstance(first := outcome.first, Registration)
        for document in outcome.case.documents
    ]


def surprises(
    outcomes: Sequence[Outcome], documents: Sequence[DocumentOutcome], events: Sequence[ChangeEvent]
) -> list[str]:
    """Everything that differs from what must come out."""
    found = [
        f"{o.case.subject}: {o.case.expected} expected, not {'UNDECIDED' if o.undecided else o.change_class or o.reason}"
        for o in outcomes
        if o.case.ours and (o.change_class != o.case.expected or o.undecided)
    ]
    found += [
        f"{d.case.subject}: document {d.document.name} is {'valid' if d.report.valid else 'invalid'}"
        for d in documents
        if d.report.valid != d.document.valid
    ]
    written = [
        r.schema_id for r in sorted((r for o in outcomes for r in o.written), key=lambda r: r.revision)
    ]
    told = [event.schema_id for event in events]
    missing, invented = Counter(written) - Counter(told), Counter(told) - Counter(written)
    if missing or invented:
        found.append(
            f"the change stream misses {missing.total()} registrations and tells of {invented.total()} that nobody made"
        )
    elif told != written:
        found.append(
            "the change stream tells of the registrations in another order than that of their revisions"
        )
    return found


async def tell(target: str, cases: Sequence[Case], console: Console, *, everything: bool) -> list[str]:
    outcomes = [Outcome(case) for case in cases]
    async with AsyncSchemaRegistry(target) as client:
        watch = client.watch(event_types=[EventType.SCHEMA_REGISTERED], from_revision="earliest")
        follower = Follower(watch)
        began = time.monotonic()
        columns = (
            TextColumn("{task.description:>18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as progress:
            await register_all(client, outcomes, "first", progress)
            await register_all(client, outcomes, "second", progress)
        seconds = time.monotonic() - began
        documents = await validate_all(client, outcomes)
        await follower.until(sum(len(outcome.written) for outcome in outcomes))
        await follower.close()

    console.print(outcome_table(outcomes, everything=everything))
    console.print(validation_table(documents))
    console.print(stream_lines(follower.events))
    console.print(totals(outcomes, documents, follower.events, seconds))
    return surprises(outcomes, documents, follower.events)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--all", action="store_true", help="show every row, not a selection of the real schemas"
    )
    parser.add_argument("--own", action="store_true", help="only the schemas of this folder")
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    cases = own() if options.own else [*own(), *real()]
    with server() as ports:
        console.print(f"a server on ports {dict(ports)}; {len(cases)} schemas with two revisions each")
        found = asyncio.run(tell(f"127.0.0.1:{ports['grpc']}", cases, console, everything=options.all))
    for line in found:
        console.print(f"[red]unexpected:[/red] {line}", highlight=False)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
