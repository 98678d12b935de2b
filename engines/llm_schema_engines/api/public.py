"""The public names of `llm_schema_engines`, which gives them out when they are first asked for."""

from __future__ import annotations

from ..errors import (
    ConversionRefused,
    DataRefused,
    InvalidRequest,
    InvalidSchema,
    InvalidVersion,
    RegistryError,
    SchemaIssue,
    Unavailable,
    UnsupportedSchemaType,
)
from ..formats.catalogue import EngineLimits
from ..formats.conversion import Conversion, Loss, LossKind
from ..formats.engine import DataValidator, ParsedSchema
from ..formats.reask import reask_text
from ..linter.linting import LINT_RULES
from ..linter.rule import LintRule
from ..model.compatibility import (
    ChangeClass,
    CompareOptions,
    Comparison,
    CompatibilityLevel,
    CompatibilityReport,
    Direction,
    Remedy,
    RemedyKind,
    Severity,
    Strictness,
    Verdict,
    Violation,
    Witness,
    WriterModel,
)
from ..model.difference import Difference, DifferenceKind, Differences
from ..model.lint import LintFinding, LintReport
from ..model.schema import Fingerprints, SchemaType
from ..model.validation import DataIssue, DataReport, Encoding, FormatPolicy
from ..protoc.supervised import SupervisedProtoc
from .checking import SchemaLike
from .detection import detect
from .local import LocalEngines, References
from .schema import Schema

__all__ = [
    "LINT_RULES",
    "ChangeClass",
    "CompareOptions",
    "Comparison",
    "CompatibilityLevel",
    "CompatibilityReport",
    "Conversion",
    "ConversionRefused",
    "DataIssue",
    "DataRefused",
    "DataReport",
    "DataValidator",
    "Difference",
    "DifferenceKind",
    "Differences",
    "Direction",
    "Encoding",
    "EngineLimits",
    "Fingerprints",
    "FormatPolicy",
    "InvalidRequest",
    "InvalidSchema",
    "InvalidVersion",
    "LintFinding",
    "LintReport",
    "LintRule",
    "LocalEngines",
    "Loss",
    "LossKind",
    "ParsedSchema",
    "References",
    "RegistryError",
    "Remedy",
    "RemedyKind",
    "Schema",
    "SchemaIssue",
    "SchemaLike",
    "SchemaType",
    "Severity",
    "Strictness",
    "SupervisedProtoc",
    "Unavailable",
    "UnsupportedSchemaType",
    "Verdict",
    "Violation",
    "Witness",
    "WriterModel",
    "check",
    "compare",
    "convert",
    "detect",
    "diff",
    "lint",
    "parse",
    "reask_text",
    "validate",
    "validator",
]

_ENGINES = LocalEngines()
parse = _ENGINES.parse
compare = _ENGINES.compare
check = _ENGINES.check
validate = _ENGINES.validate
validator = _ENGINES.validator
convert = _ENGINES.convert
diff = _ENGINES.diff
lint = _ENGINES.lint
