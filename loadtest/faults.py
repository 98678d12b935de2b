"""What callers notice of each fault: servers on PostgreSQL, Redis and S3 in a storm of writes, and afterwards what was kept.

    python -m loadtest.faults [--seconds 5] [--instances 2] [--only REDIS] [--markdown loadtest/results/faults.md]

Starts everything by itself. Each fault lasts for --seconds, and until the health report of every living instance names it. Hot
reads ask for what every instance has answered before, and go to the next instance when one does not answer; writers insist. At the
end every version on every instance is compared with the database and with what was sent: the run fails when one is lost, there
twice, or wrong. A full disk is tried by root only (it mounts a small file system).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

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
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mount = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=755", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return [], 0
        stack.callback(subprocess.run, ["umount", "-l", str(place)], check=True)
        place.parent.chmod(place.parent.stat().st_mode | 0o001)
        (place / "home").mkdir()
        home = stack.enter_context(tempfile.TemporaryDirectory())
        full = {"disk of PostgreSQL full": Fault(disk_full(place / "ballast"))}
        return asyncio.run(drill(full, seconds, instances, Path(home), place / "home"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    parser.add_argument("--markdown", type=Path, help="write the page here too")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    chosen = {name: fault for name, fault in FAULTS.items() if options.only.lower() in name.lower()}
    with tempfile.TemporaryDirectory() as home:
        rows, checked = asyncio.run(drill(chosen, options.seconds, options.instances, Path(home)))
    if not options.only:
        more, also_checked = with_small_disk(options.seconds, options.instances)
        rows, checked = rows + more, checked + also_checked
    page = "\n".join(
        [
            "# Faults",
            "",
            f"`python -m loadtest.faults --seconds {options.seconds:g} --instances {options.instances}`",
            "",
            f"{os.cpu_count()} processors, load average before the run {load:.1f}, Python {platform.python_version()}; "
            f"{options.instances} instances, 6 writers and 3 readers on the same machine as everything else. "
            f"Afterwards {checked} versions were compared on every instance with the database: none lost, none twice, none wrong.",
            "",
            HEADER,
            *rows,
            "",
        ]
    )
    print(page)
    if options.markdown:
        options.markdown.write_text(page)


if __name__ == "__main__":
    main()
