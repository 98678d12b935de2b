"""May one Protobuf schema read all that another one writes? Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ....model.compatibility import Comparison, Severity, Strictness, Verdict, Violation
from ..pools import CompiledSchema
from . import data_rules, field_rules, file_rules, json_rules, type_rules
from .rule import BreakingChange, ComparisonRule
from .sides import ComparisonTooLarge, Sides
from .witness import Witnesses

RULES: tuple[ComparisonRule, ...] = (
    *data_rules.RULES,
    *json_rules.RULES,
    *field_rules.RULES,
    *type_rules.RULES,
    *file_rules.RULES,
)

IN_FORCE: Mapping[Strictness, tuple[tuple[ComparisonRule, Severity], ...]] = {
    strictness: tuple(
        (rule, severity) for rule in RULES if (severity := rule.severity(strictness)) is not None
    )
    for strictness in Strictness
}
"""The rules that apply at a strictness, with their severity there."""

MAX_VIOLATIONS = 200
MAX_WITNESSES = 50


def compare(reader: CompiledSchema, writer: CompiledSchema, strictness: Strictness) -> Comparison:
    """Whether the reader can read all of the writer's data, and keeps what else `strictness` protects.

    WIRE: errors are facts about binary data, each with a witness; the rest of Buf's category WIRE are warnings.
    WIRE_JSON and SOURCE add Buf's categories WIRE_JSON, and FILE with PACKAGE, as errors.
    """
    if reader is writer:
        return Comparison(Verdict.YES)
    sides = Sides(reader.schema, writer.schema)
    try:
        found = _merged(sides, strictness)
    except ComparisonTooLarge:
        return Comparison(Verdict.UNDECIDED, (_too_large(),))
    found.sort(key=lambda item: item[2])
    witnesses = Witnesses(sides, reader, writer)
    violations = [
        _violation(rule, broken, severity, witnesses if index < MAX_WITNESSES else None)
        for index, (rule, broken, severity) in enumerate(found[:MAX_VIOLATIONS])
    ]
    if len(found) > MAX_VIOLATIONS:
        violations.append(_more(len(found) - MAX_VIOLATIONS))
    broken = any(severity is Severity.ERROR for _, _, severity in found)
    return Comparison(Verdict.NO if broken else Verdict.YES, tuple(violations))


def _merged(sides: Sides, strictness: Strictness) -> list[tuple[ComparisonRule, BreakingChange, Severity]]:
    """Every breaking change with its rule and severity.

    A data rule and a rule of Buf may report the same id and path: they are merged, with the evidence of the data rule
    and the worse severity of both.
    """
    found: dict[tuple[str, str], list[tuple[ComparisonRule, BreakingChange, Severity]]] = {}
    for rule, severity in IN_FORCE[strictness]:
        for broken in rule.check(sides):
            same = found.setdefault((rule.id, broken.path), [])
            worst = broken.severity or severity
            if same and same[0][0] is not rule:
                first_rule, first, known = same[0]
                same[0] = (first_rule, first, min(known, worst))
            else:
                same.append((rule, broken, worst))
    return [item for same in found.values() for item in same]


def _violation(
    rule: ComparisonRule, broken: BreakingChange, severity: Severity, witnesses: Witnesses | None
) -> Violation:
    return Violation(
        rule=rule.id,
        path=broken.path,
        message=rule.message(broken),
        severity=severity,
        old_value=broken.old,
        new_value=broken.new,
        witness=witnesses.find(broken.evidence) if witnesses and broken.evidence else None,
    )


def _more(count: int) -> Violation:
    return Violation("MORE_VIOLATIONS", "", f"{count} more violations are not listed", severity=Severity.INFO)


def _too_large() -> Violation:
    return Violation(
        "COMPARISON_TOO_LARGE",
        "",
        "the two schemas pair too many messages with each other to be compared; split them",
        undecided=True,
    )
