"""The file beside pulled schemas that holds the settings of the registry, its contexts and its subjects.

`settings.json`: {"registry": {...}, "contexts": {".staging": {...}}, "subjects": {"orders": {"compatibility_level": "FULL"}}};
what sets nothing of its own is left out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import typer

from .._sync_client import SchemaRegistry
from ..enums import Mode
from ..errors import NotFound
from ..results import Config
from .output import plain

NAME = PurePosixPath("settings.json")


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """The settings of one scope: a subject, a context, or, both "", the registry."""

    subject: str
    context: str
    settings: dict[str, Any]


def context_of(subject: str) -> str:
    """The context that a subject's name tells; "" is the default one."""
    return subject[1:].partition(":")[0] if subject.startswith(":") else ""


def of_subject(client: SchemaRegistry, subject: str) -> ScopeSettings:
    """What a subject sets itself."""
    return ScopeSettings(subject, "", _own(client, subject, ""))


def of_wider_scopes(client: SchemaRegistry, subjects: Iterable[str]) -> Iterator[ScopeSettings]:
    """What the registry and the contexts of the subjects set."""
    yield ScopeSettings("", "", _own(client, "", ""))
    for context in sorted({context_of(subject) for subject in subjects} - {""}):
        yield ScopeSettings("", context, _own(client, "", context))


def _own(client: SchemaRegistry, subject: str, context: str) -> dict[str, Any]:
    try:
        config: Config = client.get_config(subject, context=context).config
    except NotFound:
        return {}
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    return {name: plain(value) for name, value in fields.items() if value is not None}


def text(scopes: Iterable[ScopeSettings]) -> str:
    """The file."""
    found: dict[str, Any] = {"registry": {}, "contexts": {}, "subjects": {}}
    for scope in scopes:
        if not scope.settings:
            continue
        if scope.subject:
            found["subjects"][scope.subject] = scope.settings
        elif scope.context:
            found["contexts"][scope.context] = scope.settings
        else:
            found["registry"] = scope.settings
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def read(content: bytes, where: str) -> list[ScopeSettings]:
    """The scopes of a file, the widest first. Raises typer.BadParameter for what is none."""
    known = {f.name for f in dataclasses.fields(Config)}
    try:
        found: Any = json.loads(content)
        scopes = [ScopeSettings("", "", dict(found["registry"]))]
        scopes += [ScopeSettings("", name, dict(own)) for name, own in found["contexts"].items()]
        scopes += [ScopeSettings(name, "", dict(own)) for name, own in found["subjects"].items()]
        unknown = sorted({name for scope in scopes for name in scope.settings if name not in known})
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such settings")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise typer.BadParameter(
            f"{where}: no settings as `pull` writes them ({error!r})", param_hint="PATH"
        ) from error
    return [scope for scope in scopes if scope.settings]


LAST = ("compatibility_level", "mode", "lint")
"""Settings that would refuse what is still to be registered."""


def apply_first(client: SchemaRegistry, scopes: Iterable[ScopeSettings]) -> None:
    """Set what bears on the registrations to come: all but LAST. What is to be read-only takes writes until `apply_last`."""
    for scope in scopes:
        settings = {name: value for name, value in scope.settings.items() if name not in LAST}
        if scope.settings.get("mode") == Mode.READONLY.name:
            settings["mode"] = Mode.READWRITE.name
        if settings:
            client.set_config(scope.subject, context=scope.context, **settings)


def apply_last(client: SchemaRegistry, scopes: Iterable[ScopeSettings]) -> None:
    """Set levels, modes and lint policies."""
    for scope in scopes:
        settings = {name: scope.settings[name] for name in LAST if name in scope.settings}
        if settings:
            client.set_config(scope.subject, context=scope.context, **settings)


def with_level(scopes: Iterable[ScopeSettings]) -> set[str]:
    """The subjects that have a level of their own."""
    return {scope.subject for scope in scopes if "compatibility_level" in scope.settings}


def forget_levels(client: SchemaRegistry, subjects: Iterable[str], scopes: Iterable[ScopeSettings]) -> None:
    """Subjects that had no level of their own have none again: each registration gave them one."""
    others = {scope.subject: scope.settings for scope in scopes if scope.subject}
    for subject in sorted(subjects):
        if "compatibility_level" in _own(client, subject, ""):
            client.delete_config(subject)
            if others.get(subject):
                client.set_config(subject, **others[subject])
