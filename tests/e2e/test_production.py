"""Everything together, PostgreSQL, Redis and S3 under several real servers, in a storm of writes: each fault in turn loses
nothing, doubles nothing, shows nothing wrong, and is over by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import small_disk
from tests.support.drill import HEADER, Drill, line
from tests.support.faults import FAULTS, Fault, disk_full
from tests.support.postgres import skip_where_missing
from tests.support.production import Production

SAMPLE = ("PostgreSQL killed and restarted", "S3 answers wrong bytes")
"""For every run: one where a tier is away and one where it is wrong. All faults are deep; test_replicas.py kills instances
and test_tiers.py damages Redis in every run too."""


@pytest.fixture(autouse=True)
def _installed() -> None:
    skip_where_missing()


async def drilled(all_: Production, faults: dict[str, Fault], seconds: float) -> None:
    """Let each fault happen once, and check everything at the end."""
    print(HEADER)
    async with Drill(all_) as drill:
        for name, fault in faults.items():
            figures = await drill.during(name, fault, seconds)
            print(line(figures))
            assert figures.hot_refused == 0, name
    assert await drill.audit() > len(faults)


@pytest.mark.timeout(300)
async def test_a_sample_of_faults_loses_doubles_and_shows_nothing_wrong(tmp_path: Path) -> None:
    async with Production(tmp_path) as all_:
        await drilled(all_, {name: FAULTS[name] for name in SAMPLE}, seconds=0.5)


@pytest.mark.deep
@pytest.mark.timeout(1200)
async def test_every_fault_for_long_on_three_instances(tmp_path: Path) -> None:
    async with Production(tmp_path, instances=3) as all_:
        await drilled(all_, dict(FAULTS), seconds=20)


@pytest.fixture
def full_disk() -> Iterator[Path]:
    """A file system of 128 MB; only root may make one."""
    with small_disk(128) as place:
        if place is None:
            pytest.skip("a small file system can only be mounted by root")
        (place / "home").mkdir()
        yield place


@pytest.mark.deep
@pytest.mark.timeout(600)
async def test_a_full_disk_of_the_database_is_over_when_there_is_room(
    tmp_path: Path, full_disk: Path
) -> None:
    full = Fault(disk_full(full_disk / "ballast"))
    async with Production(tmp_path, database_home=full_disk / "home") as all_:
        await drilled(all_, {"disk of PostgreSQL full": full}, seconds=10)
