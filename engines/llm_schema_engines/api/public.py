"""The public names of `llm_schema_engines`, which gives them out when they are first asked for."""

from __future__ import annotations

from ..answers.answer import AnswerStream
from ..answers.coercion import Coerced, Coercion
from ..answers.partial import PartialValue
from ..answers.reask import Reask, ReaskStyle
from ..answers.verdict import StreamError, StreamStatus
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
from ..fixes.model import Fix, FixEdit, Fixes, FixKind, Proof
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
from ..providers.compiling import CompiledForm
from ..providers.decoding import Decoder
from ..providers.findings import Fit, ProfileFinding, ProfileReport
from ..providers.grammar import Grammar
from ..providers.losses import AnswerCheck, CompileLoss, LossEffect, LossProof
from ..providers.notation import Syntax as GrammarSyntax
from ..providers.profile import Basis, Profile, Support
from .checking import SchemaLike
from .detection import detect
from .local import LocalEngines, References
from .providers import ProfileLike, provider_profile, provider_profiles
from .schema import Schema

__all__ = [
    "LINT_RULES",
    "AnswerCheck",
    "AnswerStream",
    "Basis",
    "ChangeClass",
    "Coerced",
    "Coercion",
    "CompareOptions",
    "Comparison",
    "CompatibilityLevel",
    "CompatibilityReport",
    "CompileLoss",
    "CompiledForm",
    "Conversion",
    "ConversionRefused",
    "DataIssue",
    "DataRefused",
    "DataReport",
    "DataValidator",
    "Decoder",
    "Difference",
    "DifferenceKind",
    "Differences",
    "Direction",
    "Encoding",
    "EngineLimits",
    "Fingerprints",
    "Fit",
    "Fix",
    "FixEdit",
    "FixKind",
    "Fixes",
    "FormatPolicy",
    "Grammar",
    "GrammarSyntax",
    "InvalidRequest",
    "InvalidSchema",
    "InvalidVersion",
    "LintFinding",
    "LintReport",
    "LintRule",
    "LocalEngines",
    "Loss",
    "LossEffect",
    "LossKind",
    "LossProof",
    "ParsedSchema",
    "PartialValue",
    "Profile",
    "ProfileFinding",
    "ProfileLike",
    "ProfileReport",
    "Proof",
    "Reask",
    "ReaskStyle",
    "References",
    "RegistryError",
    "Remedy",
    "RemedyKind",
    "Schema",
    "SchemaIssue",
    "SchemaLike",
    "SchemaType",
    "Severity",
    "StreamError",
    "StreamStatus",
    "Strictness",
    "SupervisedProtoc",
    "Support",
    "Unavailable",
    "UnsupportedSchemaType",
    "Verdict",
    "Violation",
    "Witness",
    "WriterModel",
    "answer_stream",
    "check",
    "check_for",
    "coerce",
    "compare",
    "compile_for",
    "convert",
    "detect",
    "diff",
    "find_fixes",
    "grammar_for",
    "lint",
    "parse",
    "provider_profile",
    "provider_profiles",
    "reask",
    "reask_text",
    "validate",
    "validator",
]

_ENGINES = LocalEngines()
parse = _ENGINES.parse
compare = _ENGINES.compare
check = _ENGINES.check
find_fixes = _ENGINES.find_fixes
validate = _ENGINES.validate
validator = _ENGINES.validator
convert = _ENGINES.convert
diff = _ENGINES.diff
lint = _ENGINES.lint
check_for = _ENGINES.check_for
compile_for = _ENGINES.compile_for
grammar_for = _ENGINES.grammar_for
answer_stream = _ENGINES.answer_stream
reask = _ENGINES.reask
coerce = _ENGINES.coerce
