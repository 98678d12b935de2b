"""Checks the arguments of a call by their annotations, so that no argument of any method is forgotten.

An annotation that has no check here is an error when the module is imported, not when somebody passes the wrong thing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from . import enums
from ._arguments import boolean, identifier, integer, seconds, selector, text
from ._encode import member

P = ParamSpec("P")
R = TypeVar("R")
Check = Callable[[Any, str], object]
"""Given a value and the name of the argument; raises TypeError or ValueError."""

_CHECKS: dict[str, Check] = {
    "str": text,
    "bool": boolean,
    "int": integer,
    "float": seconds,
    "SchemaId": identifier,
    "str | int": selector,
}

CONVERTED = frozenset(
    [
        "Content",
        "Data",
        "Data | None",
        "Iterable[Data]",
        "Iterable[Reference]",
        "Iterable[SchemaSelector]",
        "Iterable[str]",
        "Iterable[str] | None",
        "Iterable[EventType | str]",
        "Iterable[Coercion | str]",
        "Iterable[ModelOutcomes]",
        "Mapping[str, str] | None",
        "SchemaOperand | SchemaContent",
        "Attempts",
        "datetime | None",
        "Mapping[str, Any]",
        "Mapping[str, Any] | None",
        "Iterable[RoleGrant | str]",
        "Iterable[RoleGrant | str] | None",
        "Callable[[ChangeEvent], object] | None",
    ]
)
"""Annotations of what the functions themselves convert, and check on the way."""

_ENUM = re.compile(r"(\w+) \| str")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which refuses arguments that are not what its annotations say; the errors name the argument."""
    checks = {
        name: check
        for name, annotation in function.__annotations__.items()
        if name != "return" and (check := _check(annotation, f"{function.__qualname__}({name})")) is not None
    }
    names = function.__code__.co_varnames

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in zip(names, args, strict=False):
            if name in checks:
                checks[name](value, name)
        for name, value in kwargs.items():
            if name in checks:
                checks[name](value, name)
        return function(*args, **kwargs)

    return call


def _check(annotation: str, where: str) -> Check | None:
    if annotation in CONVERTED:
        return None
    if annotation.endswith(" | None"):
        return _optional(_check(annotation.removesuffix(" | None"), where))
    if annotation in _CHECKS:
        return _CHECKS[annotation]
    named = _ENUM.fullmatch(annotation)
    if named is None:
        raise TypeError(f"{where}: no check is known for the annotation {annotation!r}")
    return functools.partial(member, getattr(enums, named[1]))


def _optional(check: Check | None) -> Check | None:
    if check is None:
        return None
    return lambda value, name: None if value is None else check(value, name)
