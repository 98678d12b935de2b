"""How often models answer as a version asks. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ModelOutcomes:
    """What became of answers of a model, for `report_outcomes`. The version is named by `schema_id`, or by `subject` and `version` (an ordinal or
    a semantic version). `first_pass`: valid at once, without a correction. `retried`, `coerced` and `truncated` are none of these: the model was
    asked again, they were corrected, or cut off."""

    model: str
    answers: int
    first_pass: int
    retried: int = 0
    coerced: int = 0
    truncated: int = 0
    schema_id: str = ""
    subject: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class OutcomesReported:
    """`repeated`: this report was counted before. `unknown_items`: places of the items whose version is not there; they were left out."""

    repeated: bool
    unknown_items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConformanceRate:
    """A count of answers, and its share of all; the true one is from `low` to `high`, with a probability of at least 95 % however often it is
    looked at."""

    count: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ConformanceDrop:
    """A comparison of the answers that are valid at once with those of an earlier version, over all time. True when a drop is certain.

    `found`: the rate has fallen by more than the margin. `evidence`: natural logarithm; it is certain when it reaches `needed`.
    """

    found: bool
    earlier_version: str
    earlier_ordinal: int
    earlier: ConformanceRate
    later: ConformanceRate
    evidence: float
    needed: float
    found_at: datetime | None

    def __bool__(self) -> bool:
        return self.found


@dataclass(frozen=True, slots=True)
class ModelConformance:
    """A model with a version: rates in the time that was asked for. `drop`: None where there is no earlier version to compare with."""

    schema_id: str
    version: str
    ordinal: int
    model: str
    answers: int
    first_pass: ConformanceRate
    retried: ConformanceRate
    coerced: ConformanceRate
    truncated: ConformanceRate
    reported_at: datetime | None
    drop: ConformanceDrop | None
