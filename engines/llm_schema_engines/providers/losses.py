"""What a compiled form accepts more or less than the schema that it was made of. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from .profile import Basis


class LossEffect(enum.StrEnum):
    """WIDENED: the provider may answer what the schema refuses. NARROWED: it can no longer answer something that the schema
    accepts. ANNOTATION: the model no longer sees a text; what is valid stays the same."""

    WIDENED = "WIDENED"
    NARROWED = "NARROWED"
    ANNOTATION = "ANNOTATION"


class LossProof(enum.StrEnum):
    """WITNESS: there is a document that shows it. NO_EFFECT: proved that in this direction nothing at all is lost.
    ALONE_NO_EFFECT: proved that this one alone changes nothing; together with others it may. UNDECIDED: neither.
    NOT_NEEDED: an annotation."""

    WITNESS = "WITNESS"
    NO_EFFECT = "NO_EFFECT"
    ALONE_NO_EFFECT = "ALONE_NO_EFFECT"
    UNDECIDED = "UNDECIDED"
    NOT_NEEDED = "NOT_NEEDED"


@dataclass(frozen=True, slots=True)
class CompileLoss:
    """One difference between the schema and its compiled form.

    pointer: in the schema, to the keyword that is lost (after the name of the reference and `#` where it is in another document), or
    to the schema that is narrowed. witness: a document in the shape of the schema, as JSON text: WIDENED: that the compiled form
    accepts and the schema refuses; NARROWED: the other way round; "" when none was found. in_compiled: the witness was checked
    against the compiled form with all its other losses, too. basis, source, as_of: how it is known what the provider does.
    """

    effect: LossEffect
    pointer: str
    keyword: str
    message: str
    proof: LossProof = LossProof.UNDECIDED
    witness: str = ""
    in_compiled: bool = False
    basis: Basis = Basis.NONE
    source: str = ""
    as_of: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.effect}: {self.message}"


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """What must be checked after an answer, because the compiled form does not hold it. pointer: in the schema."""

    pointer: str
    keyword: str
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the schema that has the effect of one loss alone. remove: take out `keyword`; otherwise set it to `value`.
    at: the pointer of the schema object."""

    at: str
    keyword: str
    remove: bool = True
    value: Any = None


@dataclass(frozen=True, slots=True)
class PendingLoss:
    """A loss before it is proved, with the edits that show it alone; none where it cannot be shown alone."""

    loss: CompileLoss
    edits: tuple[Edit, ...] = field(default=())
