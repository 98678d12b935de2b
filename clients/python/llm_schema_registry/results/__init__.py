"""What the registry answers, as frozen values. Times are aware, in UTC; an absent time is None."""

from .answers import AnswerState, CoercedAnswer, CoercionCount, ReaskedAnswer, StreamFailure
from .fixes import Fix, FixEdit, FixProof, FoundFixes
from .registry import ChangeEvent, ComponentHealth, Config, ConfigView, Health
from .reports import (
    CompatibilityReport,
    Registration,
    Remedy,
    SchemaIssue,
    SchemaValidationReport,
    ValidationError,
    ValidationReport,
    ValidationWarning,
    Violation,
)
from .schemas import (
    Dependency,
    Fingerprints,
    Items,
    Page,
    SchemaContent,
    SchemaInfo,
    SchemaReference,
    StateTransition,
    VersionInfo,
)
from .tickets import Ticket
from .tools import Conversion, ConversionLoss, SchemaDiff, SchemaDifference

__all__ = [
    "AnswerState",
    "ChangeEvent",
    "CoercedAnswer",
    "CoercionCount",
    "CompatibilityReport",
    "ComponentHealth",
    "Config",
    "ConfigView",
    "Conversion",
    "ConversionLoss",
    "Dependency",
    "Fingerprints",
    "Fix",
    "FixEdit",
    "FixProof",
    "FoundFixes",
    "Health",
    "Items",
    "Page",
    "ReaskedAnswer",
    "Registration",
    "Remedy",
    "SchemaContent",
    "SchemaDiff",
    "SchemaDifference",
    "SchemaInfo",
    "SchemaIssue",
    "SchemaReference",
    "SchemaValidationReport",
    "StateTransition",
    "StreamFailure",
    "Ticket",
    "ValidationError",
    "ValidationReport",
    "ValidationWarning",
    "VersionInfo",
    "Violation",
]
