"""What became of answers of language models, as clients report it: counts by version and model, and never what an answer said. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from .subject import Subject
from .timestamps import micros

OTHER = "other"
"""Stands for all models of a version beyond those that are told apart."""
DAY = 24 * 3600 * 1_000_000
"""Microseconds of a day."""
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")


def is_model_name(text: str) -> bool:
    """Whether it can be the name of a model: 1 to 128 letters, digits and `._:/@+-`, the first one a letter or a digit."""
    return _MODEL.fullmatch(text) is not None


def day_of(at: datetime) -> int:
    """The day of a time (UTC), counted from 1970."""
    return micros(at) // DAY


@dataclass(frozen=True, slots=True)
class Outcomes:
    """answers: that were asked for and have ended. first_pass: those that were valid at once, without a correction. retried: those for which the
    model was asked again; coerced: those that were corrected; truncated: those that were cut off. The last three may overlap."""

    answers: int = 0
    first_pass: int = 0
    retried: int = 0
    coerced: int = 0
    truncated: int = 0

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(
            self.answers + other.answers,
            self.first_pass + other.first_pass,
            self.retried + other.retried,
            self.coerced + other.coerced,
            self.truncated + other.truncated,
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """Outcomes of one model's answers to a version, of one day. place: which of the version's models it is, from 1, in the order in which they
    were first reported."""

    schema_id: str
    subject: Subject
    ordinal: int
    model: str
    place: int
    day: int
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class ModelOutcomes:
    """All outcomes of one model's answers to a version, since the first one. reported_at: when the last ones came; dropped_at: when it was found
    that the model passes less often than with an earlier version, None while it is not."""

    schema_id: str
    subject: Subject
    ordinal: int
    model: str
    place: int
    outcomes: Outcomes
    reported_at: datetime
    dropped_at: datetime | None = None

    @property
    def key(self) -> OutcomesKey:
        return self.schema_id, self.model


OutcomesKey = tuple[str, str]
"""A schema id and a model."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model's outcomes with a version, and those with the version before it that the model was reported with; None for the first one."""

    after: ModelOutcomes
    before: ModelOutcomes | None = field(default=None)
