"""Compatibility: levels, directions, verdicts, violations, reports."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from .fast_init import fast_init


class CompatibilityLevel(enum.IntEnum):
    """Who must be able to read whose data; numbers are those of the wire."""

    BACKWARD = 1
    FORWARD = 2
    FULL = 3
    BACKWARD_TRANSITIVE = 4
    FORWARD_TRANSITIVE = 5
    FULL_TRANSITIVE = 6
    NONE = 7


class Direction(enum.Enum):
    """One reader-writer question. BACKWARD: the new schema reads old data. FORWARD: the old schema reads new data."""

    BACKWARD = "backward"
    FORWARD = "forward"


class Verdict(enum.IntEnum):
    """YES is a proof, NO has a violation, UNDECIDED says why it could not be decided."""

    YES = 1
    NO = 2
    UNDECIDED = 3


class Severity(enum.IntEnum):
    """Numbers are those of the wire. Only ERROR makes a pair incompatible."""

    ERROR = 1
    WARNING = 2
    INFO = 3


class Strictness(enum.StrEnum):
    """What a Protobuf comparison protects: the wire, also its JSON form, also generated source code."""

    WIRE = "WIRE"
    WIRE_JSON = "WIRE_JSON"
    SOURCE = "SOURCE"


class WriterModel(enum.StrEnum):
    """OPEN: writers emit any valid document. DECLARED_KEYS: writers emit only keys their schema declares."""

    OPEN = "OPEN"
    DECLARED_KEYS = "DECLARED_KEYS"


class ChangeClass(enum.IntEnum):
    """What a new version changes for its readers, mildest first. UNCLASSIFIED: a first version or a draft."""

    UNCLASSIFIED = 0
    NONE = 1
    ORDER_ONLY = 2
    ANNOTATION_ONLY = 3
    COMPATIBLE = 4
    BREAKING = 5


@dataclass(frozen=True, slots=True)
class Witness:
    """Data that the writer's schema accepts and the reader's schema rejects, checked by the validator.

    `data` are the bytes of the payload; `text` is the same for people (JSON where the format has one).
    """

    data: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: its id, where (a path in the reader's schema), what the two sides say, and a sentence.

    `undecided` marks a question that could not be answered; the gate treats it as a violation unless the
    subject allows it.
    """

    rule: str
    path: str
    message: str
    severity: Severity = Severity.ERROR
    old_value: str = ""
    new_value: str = ""
    witness: Witness | None = None
    undecided: bool = False
    direction: Direction | None = None
    compared_version: str = ""


TRANSIENT_RULE_SUFFIXES = ("_TIMEOUT", "_CRASHED")
"""Suffixes of the rule ids of undecided comparisons that may be decided in another run."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result for one pair in one direction: may `reader` read everything that `writer` writes? True when proved."""

    verdict: Verdict
    violations: tuple[Violation, ...] = ()

    def __bool__(self) -> bool:
        return self.verdict is Verdict.YES

    @property
    def lasting(self) -> bool:
        """Whether another run would give the same result, so that it may be cached: no timeout or crash is in it."""
        return not any(v.undecided and v.rule.endswith(TRANSIENT_RULE_SUFFIXES) for v in self.violations)


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What a comparison assumes. It is part of the cache key of a result."""

    strictness: Strictness = Strictness.WIRE
    writer_model: WriterModel = WriterModel.OPEN
    apply_defaults: bool = False

    @property
    def key(self) -> str:
        return f"{self.strictness}/{self.writer_model}/{'defaults' if self.apply_defaults else 'bare'}"

    @property
    def assumptions(self) -> Mapping[str, str]:
        """The same for people, by the names of the configuration."""
        return {
            "strictness": str(self.strictness),
            "writer_model": str(self.writer_model),
            "apply_defaults": str(self.apply_defaults).lower(),
        }


class RemedyKind(enum.StrEnum):
    """What a remedy changes: a setting of the subject, its level, or the schemas themselves."""

    WRITER_MODEL = "WRITER_MODEL"
    APPLY_DEFAULTS = "APPLY_DEFAULTS"
    STRICTNESS = "STRICTNESS"
    LEVEL = "LEVEL"
    CLOSE_OBJECTS = "CLOSE_OBJECTS"
    EDIT = "EDIT"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change under which the same schemas are compatible. It has been tried, unless it is EDIT: that is advice on how to change
    the schema, by the rule that was broken.

    settings: names and values of the configuration to set; empty where no setting helps.
    """

    kind: RemedyKind
    message: str
    settings: Mapping[str, str] = field(default_factory=dict)


@fast_init
@dataclass(frozen=True, slots=True)
class CompatibilityReport:
    """The outcome of a check of one schema against the versions that its level names. True when it is compatible.

    `suggested_version` is the semantic version that the schema would get; "" when nobody asked.
    `remedies`: ways out of an incompatible verdict, the most useful first.
    """

    compatible: bool
    verdict: Verdict
    level: CompatibilityLevel
    violations: tuple[Violation, ...]
    compared_versions: tuple[str, ...]
    message: str
    change_class: ChangeClass = ChangeClass.UNCLASSIFIED
    options: CompareOptions = field(default_factory=CompareOptions)
    suggested_version: str = ""
    remedies: tuple[Remedy, ...] = ()

    def __bool__(self) -> bool:
        return self.compatible
