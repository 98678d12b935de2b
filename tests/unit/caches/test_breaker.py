"""The breaker stops asking a failing service, and finds out by itself when it is back."""

import pytest

from llm_schema_registry_server.caches.breaker import Breaker, BreakerOpen


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Lamp:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[str | None] = []

    def __call__(self, failure: BaseException | None) -> None:
        self.seen.append(failure and str(failure))


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="away"), breaker.call(OSError):
            raise OSError("away")


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(3, 10)

    fail(breaker, 2)
    with breaker.call(OSError):
        pass
    fail(breaker, 2)
    assert not breaker.open

    fail(breaker)
    assert breaker.open
    with pytest.raises(BreakerOpen), breaker.call(OSError):
        pytest.fail("the call was made")


def test_other_errors_say_nothing_about_the_service() -> None:
    breaker = Breaker(1, 10)

    with pytest.raises(KeyError), breaker.call(OSError):
        raise KeyError("ours")

    assert not breaker.open


def test_one_probe_after_the_pause_decides() -> None:
    clock, lamp = Clock(), Lamp()
    breaker = Breaker(1, 10, on_change=lamp, clock=clock)
    fail(breaker)

    clock.now = 10
    fail(breaker)  # the probe: the pause begins anew
    clock.now = 19.9
    with pytest.raises(BreakerOpen), breaker.call(OSError):
        pytest.fail("the call was made")

    clock.now = 20
    with breaker.call(OSError), pytest.raises(BreakerOpen), breaker.call(OSError):
        pytest.fail("a second probe was let through")
    assert not breaker.open
    assert lamp.seen == ["away", None]


def test_a_probe_that_is_cancelled_leaves_the_place_to_the_next() -> None:
    clock = Clock()
    breaker = Breaker(1, 10, clock=clock)
    fail(breaker)
    clock.now = 10

    with pytest.raises(GeneratorExit), breaker.call(OSError):
        raise GeneratorExit

    with breaker.call(OSError):
        pass
    assert not breaker.open
