"""What judging and correcting the answers of models gives. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from ..enums import Coercion, StreamStatus
from ..errors import RegistryError
from .reports import ValidationReport


@dataclass(frozen=True, slots=True)
class StreamFailure:
    """Why a document is DEAD: the byte, from 0, with which no valid continuation was left; the value as a JSON pointer; the
    keyword; what the schema asks for; and what may stand there instead."""

    byte_offset: int
    pointer: str
    keyword: str
    message: str
    expected: str
    allowed_next: tuple[str, ...]
    schema_path: str


@dataclass(frozen=True, slots=True)
class AnswerState:
    """What is known of a document that arrives. `failure`: why it is DEAD. `reason`: why it is INDETERMINATE. `error`: the request
    itself failed with this, and the document is forgotten."""

    document_id: str
    status: StreamStatus
    failure: StreamFailure | None
    reason: str
    received_bytes: int
    schema_id: str
    subject: str
    version: str
    error: RegistryError | None
    index: int

    def __bool__(self) -> bool:
        """Whether the document is complete and valid."""
        return self.status is StreamStatus.COMPLETE


@dataclass(frozen=True, slots=True)
class ReaskedAnswer:
    """A request to a model to correct its answer. `payload`: what to hand to its interface, as JSON text; "" for plain styles.
    `tokens` is an estimate. `told`, `left`: errors in the text, and left out; `truncated`: there are more."""

    valid: bool
    text: str
    payload: str
    tokens: int
    told: int
    left: int
    truncated: bool
    schema_id: str


@dataclass(frozen=True, slots=True)
class CoercionCount:
    """How often one kind of correction was used."""

    kind: Coercion
    count: int


@dataclass(frozen=True, slots=True)
class CoercedAnswer:
    """An answer with corrections. `patch`: they as a JSON Patch, as JSON text. `counts`: how often each kind was used.
    `report`: of `data` as it is now."""

    data: bytes
    patch: str
    counts: tuple[CoercionCount, ...]
    report: ValidationReport

    def __bool__(self) -> bool:
        """Whether the answer is valid now."""
        return self.report.valid
