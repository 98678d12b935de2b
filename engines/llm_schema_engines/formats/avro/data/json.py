"""Validates JSON data: the specification's JSON encoding (tagged unions) and plain JSON (untagged). Pure.

Plain JSON: a union takes the value of any of its branches, a field with a default may be left out. In both, bytes
are strings of code points up to U+00FF, and fields that the schema does not declare are warnings, or errors when strict.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....model.validation import DataIssue
from ..limits import AvroLimits
from ..schema.defaults import NON_FINITE_NUMBERS, SCALARS, is_latin1, is_non_finite, show
from ..schema.nodes import Array, Enum, Fixed, Map, Node, Record, Union, tag, title
from ..schema.text import Json, clip, pointer
from .logical import bytes_check, number_check, text_check

MOST_RESULTS = 100_000
"""Results of trying a branch that are kept for nested unions: some 20 MB."""

DataPath = tuple["DataPath", str | int] | None


class ErrorLimitReached(Exception):
    """`max_errors` errors were found; the check ends."""


class JsonCheck:
    """Checks one JSON value. Not to be shared between threads or values."""

    def __init__(self, limits: AvroLimits, *, tagged: bool, strict: bool, max_errors: int) -> None:
        self.errors: list[DataIssue] = []
        self.warnings: list[DataIssue] = []
        self._limits = limits
        self._tagged = tagged
        self._strict = strict
        self._max = max(1, max_errors)
        self._branch_results: dict[tuple[int, int], bool] = {}
        self._trial_depth = 0

    def run(self, node: Node, value: Json) -> bool:
        """Check `value`; returns whether there were more errors than `max_errors`."""
        try:
            self._check(node, value, None, 0)
        except ErrorLimitReached:
            return True
        return False

    def _check(self, node: Node, value: Json, at: DataPath, depth: int) -> None:
        if isinstance(node, Union):
            (self._tagged_union if self._tagged else self._plain_union)(node, value, at, depth)
            return
        if isinstance(node, Record | Array | Map):
            if depth >= self._limits.data_depth:
                limit = self._limits.data_depth
                self._fault(
                    "depth",
                    at,
                    f"the data is nested more than {limit} deep (setting avro.data_depth)",
                    node,
                    value,
                )
            elif isinstance(node, Record):
                self._record(node, value, at, depth)
            else:
                self._container(node, value, at, depth)
            return
        if wrong := scalar_fault(node, value, tagged=self._tagged):
            self._fault("type" if node.logical is None else "logical", at, wrong, node, value)

    def _container(self, node: Array | Map, value: Json, at: DataPath, depth: int) -> None:
        if isinstance(node, Array):
            if not isinstance(value, list):
                self._fault("type", at, f"{show(value)} is not an array", node, value)
                return
            for i, item in enumerate(value):
                self._check(node.items, item, (at, i), depth + 1)
            return
        if not isinstance(value, dict):
            self._fault("type", at, f"{show(value)} is not an object", node, value)
            return
        for key, item in value.items():
            self._check(node.values, item, (at, key), depth + 1)

    def _record(self, node: Record, value: Json, at: DataPath, depth: int) -> None:
        if not isinstance(value, dict):
            self._fault("type", at, f"{show(value)} is not an object", node, value)
            return
        for member in node.fields:
            if member.name in value:
                self._check(member.type, value[member.name], (at, member.name), depth + 1)
            elif self._tagged or not member.has_default:
                self._fault("required", at, f"the field {member.name!r} is missing", node, value)
        for key in value:
            if key not in node.by_name:
                self._unknown(node, key, (at, key))

    def _unknown(self, node: Record, key: str, at: DataPath) -> None:
        message = f"{node.name} declares no field {key!r}"
        if self._strict:
            self._fault("unknown-field", at, message, node, None)
        elif not self._trial_depth and len(self.warnings) < self._max:
            self.warnings.append(
                DataIssue(_pointer(at), clip(message), "unknown-field", expected=title(node))
            )

    def _tagged_union(self, node: Union, value: Json, at: DataPath, depth: int) -> None:
        names = {tag(branch): branch for branch in node.branches}
        if value is None and "null" in names:
            return
        if not isinstance(value, dict) or len(value) != 1:
            self._fault(
                "union-tag", at, f"a union value is null or an object with one member, the branch; "
                f"{show(value)} is not", node, value,
            )  # fmt: skip
            return
        ((name, inner),) = value.items()
        if name == "null" or name not in names:
            self._fault("union-tag", (at, name), f"{name!r} is not a branch of {title(node)}", node, value)
            return
        # A union does not count towards the depth; what it holds does.
        self._check(names[name], inner, (at, name), depth)

    def _plain_union(self, node: Union, value: Json, at: DataPath, depth: int) -> None:
        likely = [branch for branch in node.branches if looks_like(branch, value)]
        if len(likely) == 1:
            self._check(likely[0], value, at, depth)  # its own errors say more than "no branch fits"
            return
        fits = any(self._fits(branch, value, depth) for branch in likely)
        if not self._trial_depth:
            self._branch_results.clear()  # nobody looks at this value again
        if not fits:
            self._fault("union", at, f"{show(value)} fits no branch of {title(node)}", node, value)

    def _fits(self, node: Node, value: Json, depth: int) -> bool:
        """Whether the value is valid, without reporting anything.

        Results are cached by the identity of the node and the value, so that nested unions are tried once each. That
        is safe because both outlive this object. At most MOST_RESULTS are kept: a union of thousands of branches has one for each of
        them and each value.
        """
        key = (id(node), id(value))
        known = self._branch_results.get(key)
        if known is None:
            errors, limit = self.errors, self._max
            self.errors, self._max = [], 1
            self._trial_depth += 1
            try:
                self._check(node, value, None, depth)
                known = not self.errors
            except ErrorLimitReached:
                known = False
            finally:
                self.errors, self._max = errors, limit
                self._trial_depth -= 1
            if len(self._branch_results) >= MOST_RESULTS:
                self._branch_results.clear()
            self._branch_results[key] = known
        return known

    def _fault(self, error_type: str, at: DataPath, message: str, node: Node, value: Json) -> None:
        if len(self.errors) >= self._max:
            raise ErrorLimitReached
        if self._trial_depth:
            self.errors.append(DataIssue("", "", error_type))
            raise ErrorLimitReached
        self.errors.append(
            DataIssue(_pointer(at), clip(message), error_type, expected=title(node), got=show(value))
        )


def scalar_fault(node: Node, value: Json, *, tagged: bool) -> str:
    """Why a JSON value is not one of a primitive, enum or fixed type; "" when it is."""
    if isinstance(node, Enum):
        return (
            ""
            if isinstance(value, str) and value in node.symbol_set
            else f"{show(value)} is not a symbol of {node.name}"
        )
    if isinstance(node, Fixed):
        if not is_latin1(value):
            return f"{show(value)} is not a string of code points up to U+00FF"
        if len(value) != node.size:
            return f"has {len(value)} bytes; {node.name} has {node.size}"
    else:
        if tagged and isinstance(value, str) and value in NON_FINITE_NUMBERS and is_non_finite(node, value):
            return ""
        accepts, expected = SCALARS[node.kind]
        if not accepts(value):
            return f"{show(value)} is not {expected}"
    return _logical_fault(node, value) if node.logical is not None else ""


def _logical_fault(node: Node, value: Json) -> str:
    if node.kind == "string":
        check = text_check(node.logical)
        return check(value) if check else ""
    if node.kind in ("bytes", "fixed"):
        decimal = bytes_check(node.logical)
        return decimal(value.encode("latin-1")) if decimal else ""
    allowed = number_check(node.logical)
    return "" if allowed is None or value in allowed else f"{value} is not from 0 to {allowed.stop - 1}"


JSON_KINDS: Mapping[type, frozenset[str]] = {
    type(None): frozenset({"null"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"int", "long", "float", "double"}),
    float: frozenset({"float", "double"}),
    str: frozenset({"string", "bytes", "fixed", "enum"}),
    list: frozenset({"array", "union"}),
    dict: frozenset({"record", "map"}),
}


def looks_like(node: Node, value: Json) -> bool:
    """Whether the JSON type of `value` is one that values of `node` have."""
    return node.kind in JSON_KINDS[type(value)] or node.kind == "union"


def _pointer(at: DataPath) -> str:
    steps: list[str | int] = []
    while at is not None:
        at, step = at
        steps.append(step)
    return pointer(tuple(reversed(steps)))
