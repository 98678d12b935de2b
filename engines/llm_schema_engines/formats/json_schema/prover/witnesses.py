"""Confirms candidates as witnesses by the validators of both sides, and makes them small. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from ..canonical import dump
from ..validation import JsonDataValidator
from .values import MAX_VALUE, is_large

MAX_CHECKS = 120
"""Most validations spent on making one witness smaller."""


class WitnessChecker:
    """Checks whether a value is a witness: the writer may send it and the reader refuses it."""

    def __init__(
        self,
        reader: JsonDataValidator,
        writer: JsonDataValidator,
        *,
        declared_keys: bool,
        supply: Callable[[Any], Any],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._declared_keys = declared_keys
        self._supply = supply
        """Fills in the defaults that the reader applies before it validates."""

    def is_witness(self, value: Any) -> bool:
        """Whether the writer may send the value and the reader refuses it, validated as bytes."""
        if is_large(value):
            return False
        text = encode(value)
        if len(text) > MAX_VALUE or not self._writer.accepts(text):
            return False
        if self._declared_keys and self._writer.declarations.undeclared(value, 1):
            return False
        supplied = self._supply(value)
        if supplied is not value and is_large(supplied):
            return False
        return not self._reader.accepts(text if supplied is value else encode(supplied))

    def errors(self, value: Any) -> list[jsonschema_rs.ValidationError]:
        """The reader's errors for a value; none when listing them would cost too much."""
        return self._reader.errors(encode(self._supply(value)), 50)


def encode(value: Any) -> bytes:
    """A value as compact JSON text."""
    return dump(value, sort=False).encode("utf-8")


def shrink(value: Any, keeps: Callable[[Any], bool]) -> Any:
    """A smaller value for which `keeps` still holds; greedy, within MAX_CHECKS attempts."""
    checks = 0
    improved = True
    while improved:
        improved = False
        for smaller in _smaller(value):
            if checks >= MAX_CHECKS:
                return value
            checks += 1
            if keeps(smaller):
                value, improved = smaller, True
                break
    return value


def _smaller(value: Any) -> Iterator[Any]:
    """Values one step smaller: without a member or item, with a simpler text, or smaller inside."""
    if isinstance(value, dict):
        for name in value:
            yield {k: v for k, v in value.items() if k != name}
        for name, item in value.items():
            yield from ({**value, name: inner} for inner in _smaller(item))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1 :]
        for i, item in enumerate(value):
            yield from ([*value[:i], inner, *value[i + 1 :]] for inner in _smaller(item))
    elif isinstance(value, str):
        if value:
            yield ""
        if len(value) > 3:
            yield value[: len(value) // 2]
            yield value[len(value) // 2 :]
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1:
        yield 0
        yield 1
