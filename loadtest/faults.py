"""What callers notice of each fault: servers on PostgreSQL, Redis and S3 in a storm of writes, and afterwards what was kept.

    python loadtest/faults.py [--seconds 5] [--instances 2] [--only REDIS] [--markdown loadtest/results/faults.md]

Starts everything by itself. Each fault lasts for --seconds, and until the health report of every living instance names it. Hot
reads ask for what every instance has answered before, and go to the next instance when one does not answer; writers insist. At the
end every version on every instance is compared with the database and with what was sent: the run fails when one is lost, there
twice, or wrong. A full disk is tried by root only (it mounts a small file system).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import rig

from tests.support.disks import small_disk
from tests.support.drill import HEADER, Drill, line
from tests.support.faults import FAULTS, Fault, disk_full
from tests.support.production import Production


async def drill(
    faults: Mapping[str, Fault], seconds: float, instances: int, home: Path, disk: Path | None = None
) -> tuple[list[str], int]:
    """The rows of the table, and how many versions were compared."""
    async with Production(home, instances=instances, database_home=disk) as all_:
        rows = []
        async with Drill(all_) as drill:
            for name, fault in faults.items():
                rows.append(line(await drill.during(name, fault, seconds)))
                print(rows[-1], flush=True)
        return rows, await drill.audit()


def with_small_disk(seconds: float, instances: int) -> tuple[list[str], int]:
    """The same for a full disk, on a file system of its own; nothing when that cannot be made."""
    with small_disk(128) as place, tempfile.TemporaryDirectory() as home:
        if place is None:
            return [], 0
        (place / "home").mkdir()
        full = {"disk of PostgreSQL full": Fault(disk_full(place / "ballast"))}
        return asyncio.run(drill(full, seconds, instances, Path(home), place / "home"))


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    options = parser.parse_args()
    head = rig.head("Faults", os.getloadavg()[0])
    chosen = {name: fault for name, fault in FAULTS.items() if options.only.lower() in name.lower()}
    with tempfile.TemporaryDirectory() as home:
        rows, checked = asyncio.run(drill(chosen, options.seconds, options.instances, Path(home)))
    if not options.only:
        more, also_checked = with_small_disk(options.seconds, options.instances)
        rows, checked = rows + more, checked + also_checked
    lines = [
        *head,
        f"{options.instances} instances, 6 writers and 3 readers. Afterwards {checked:,} versions were compared on every instance with "
        "the database: none lost, none twice, none wrong.",
        "",
        HEADER,
        *rows,
    ]
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
