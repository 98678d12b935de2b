"""What comparing and converting schemas gives. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from ..enums import ChangeClass, DifferenceKind, LossKind, SchemaType
from ..errors import RegistryError
from .reports import CompatibilityReport, ValidationReport
from .schemas import SchemaInfo


@dataclass(frozen=True, slots=True)
class SchemaOrError:
    """What one selector of many has found: `schema`, or `error`, which says why there is none."""

    schema: SchemaInfo | None
    error: RegistryError | None = None

    def get(self) -> SchemaInfo:
        """The schema. Raises the error."""
        if self.schema is None:
            raise self.error or RegistryError("the registry has not answered")
        return self.schema


@dataclass(frozen=True, slots=True)
class ItemsReport:
    """What became of many payloads: the first `judged` of them, of which `valid` are valid; `reports` of those that are not, have
    warnings, or could not be judged (`error`), each with its place among the items as `index`. `schema_id`, `subject` and `version`
    name the version that they were validated under."""

    judged: int
    valid: int
    reports: tuple[ValidationReport, ...]
    schema_id: str
    subject: str
    version: str

    def __bool__(self) -> bool:
        """Whether all that were judged are valid."""
        return self.valid == self.judged


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """One difference of two schemas. `path` is a JSON pointer (JSON Schema, Avro) or a dotted name (Protobuf)."""

    kind: DifferenceKind
    path: str
    old_value: str
    new_value: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """What changed between two schemas and what it means: `backward` asks whether a reader with the new schema may
    read the old one's data, `forward` the reverse. `text` is the whole, a line each. `truncated`: there is more.
    """

    differences: tuple[SchemaDifference, ...]
    change_class: ChangeClass
    backward: CompatibilityReport
    forward: CompatibilityReport
    text: str
    old_version: str
    new_version: str
    truncated: bool

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.differences)


@dataclass(frozen=True, slots=True)
class ConversionLoss:
    """Something that the target language cannot say; `path` is a place in the source."""

    kind: LossKind
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """A schema in another language, what got lost on the way, and the document that came along, as JSON.

    `dropped` are JSON pointers of members of the document that the source does not declare.
    """

    content: bytes
    schema_type: SchemaType
    losses: tuple[ConversionLoss, ...]
    data: bytes
    dropped: tuple[str, ...]
