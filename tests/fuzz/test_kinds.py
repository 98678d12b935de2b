"""A few rounds of every kind of question; loadtest/engines/fuzz.py asks them for hours."""

from __future__ import annotations

import pytest

from . import avro, json_schema, protobuf
from .kinds import Kind, Outcome, round_of

KINDS = [
    pytest.param(kind, id=f"{module.__name__.rpartition('.')[2]}-{kind.name}")
    for module in (json_schema, avro, protobuf)
    for kind in module.KINDS
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_rounds_find_nothing(kind: Kind) -> None:
    seen = Outcome()
    for number in range(12):
        seen.add(round_of(kind, seed=7, number=number))

    print(dict(seen.counts))
    assert seen.findings == []


def test_what_is_raised_is_a_finding_and_a_round_can_be_repeated() -> None:
    def ask(random: object, outcome: Outcome) -> None:
        raise AssertionError(str(random.random()))  # type: ignore[attr-defined]

    kind = Kind("broken", "nobody", ask)
    one, again, other = (round_of(kind, 1, number).findings for number in (3, 3, 4))

    assert one == again != other
    assert "AssertionError: 0." in one[0]
