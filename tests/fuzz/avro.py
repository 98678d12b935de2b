"""The kinds of questions about Avro."""

from __future__ import annotations

from random import Random

from tests.formats.avro import test_against_others as others
from tests.formats.avro.test_agreement import check_agreement
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF
from tests.formats.conversion.test_promises import check_direction

from . import mutations
from .kinds import Kind, Outcome


def agreement(random: Random, outcome: Outcome) -> None:
    """What is valid under the old schema of a pair that may be read is valid under the new one."""
    outcome.counts["data checked" if check_agreement(*others.pair(random), random) else "not asked"] += 1


KINDS = (
    Kind("verdicts", "the avro package", lambda r, _: others.check_verdict(r)),
    Kind("resolution", "fastavro", lambda r, _: others.check_promise(r)),
    Kind("witnesses", "fastavro", lambda r, _: others.check_witnesses(r)),
    Kind("agreement", "the validator, fastavro", agreement),
    Kind("data", "fastavro", lambda r, _: others.check_data(r)),
    Kind("noise", "the avro package", lambda r, _: others.check_noise(r, r.randbytes(r.randint(0, 40)))),
    Kind("mutations", "no crash, no internal error, 5 s", lambda r, o: mutations.ask(AVRO, r, o)),
    Kind(
        "conversions",
        "the target's validator",
        lambda r, _: check_direction(AVRO, r.choice([JSON, PROTOBUF]), r),
    ),
)
