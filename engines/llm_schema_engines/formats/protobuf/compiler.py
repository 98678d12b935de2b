"""What the engine asks of a Protobuf compiler. Pure: the implementation lives in `llm_schema_engines.protoc`."""

from __future__ import annotations

import re

from ...errors import SchemaIssue
from ...model.compilation import Compiled, CompileJob, CompilerMessage


class NoCompiler:
    """For processes that only compare and validate what has been parsed elsewhere."""

    def compile(self, job: CompileJob) -> Compiled:
        raise RuntimeError(f"{job.root}: this process holds no Protobuf compiler; parse in a worker")


_RULES = (
    (r"was not found|File not found", "IMPORT_NOT_FOUND"),
    (r"recursively imports itself", "IMPORT_CYCLE"),
    (r"is not defined|seems to be defined in|is not a type|is resolved to", "TYPE_UNDEFINED"),
    (r"is already defined|already defined in|conflicts with the existing symbol", "NAME_DUPLICATE"),
    (r"has already been used|conflict with|uses the same number|already used", "NUMBER_DUPLICATE"),
    (r"reserved", "NUMBER_OR_NAME_RESERVED"),
    (r"[Oo]ption", "OPTION_INVALID"),
    (r"recursion limit|nesting", "NESTING_TOO_DEEP"),
    (r"[Ee]xpected|Reached end|Missing|Unexpected|Invalid control|Unterminated|escape", "SYNTAX"),
    (r"is unused", "IMPORT_UNUSED"),
)
_TABLE = tuple((re.compile(pattern), rule) for pattern, rule in _RULES)


def to_issue(message: CompilerMessage, root: str) -> SchemaIssue:
    """A compiler message as an issue. protoc has no codes of its own: the rule is found by words, else RULE_BROKEN."""
    rule = next((rule for pattern, rule in _TABLE if pattern.search(message.text)), "RULE_BROKEN")
    text = message.text if message.file in ("", root) else f"{message.file}: {message.text}"
    return SchemaIssue(rule, text.removesuffix("."), line=message.line, column=message.column)
