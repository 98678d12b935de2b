"""What a server does beside its calls."""

import gc
from collections.abc import Iterator

import pytest

from llm_schema_registry_server.background import settle_memory


@pytest.fixture
def collector() -> Iterator[None]:
    """Python's collector of circular garbage, put back as it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collector")
def test_what_there_is_at_the_start_is_not_looked_at_again_and_later_circles_are_still_collected() -> None:
    class Circle:
        alive = 0

        def __init__(self) -> None:
            self.itself = self
            Circle.alive += 1

        def __del__(self) -> None:
            Circle.alive -= 1

    before = gc.get_threshold()
    settle_memory()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() > before

    Circle()
    assert Circle.alive == 1
    while Circle.alive:  # the collector comes by itself
        _ = [[] for _ in range(10_000)]
