"""Writes docs/settings.md, docs/errors.md and docs/lint.md from the code: `make docs`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from llm_schema_engines import LINT_RULES
from llm_schema_registry_server import errors
from llm_schema_registry_server.settings import PREFIX, Settings
from llm_schema_registry_server.transports.status import GRPC, HTTP, HTTP_BY_REASON

HERE = Path(__file__).parent


def settings_page() -> str:
    """One table row a setting."""
    lines = [
        "# Settings",
        "",
        "Written by `make docs`. Settings come from a TOML file (`serve --config FILE`, or the variable",
        "`SCHEMA_REGISTRY_CONFIG`) and from variables, which win. Unknown names are refused.",
        "`schema-registry-server check-settings` prints what is in force.",
        "",
        "| setting | variable | default | meaning |",
        "|---|---|---|---|",
    ]
    for path, field in _settings(Settings, ()):
        variable = PREFIX + "__".join(path).upper()
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{'.'.join(path)}` | `{variable}` | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, (*path, name))
        else:
            yield (*path, name), field


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None:
        return ""
    return f"`{json.dumps(value, default=str)}`"


def errors_page() -> str:
    """One table row a reason."""
    lines = [
        "# Errors",
        "",
        "Written by `make docs`. Every failure carries `google.rpc.ErrorInfo` (domain `schema-registry`, the reason below, facts",
        "as metadata, the request id); a wrong field also `google.rpc.BadRequest`; a refused registration the",
        "`CompatibilityReport`. HTTP answers with the status below and `{error_code, message, details, request_id}`.",
        "",
        "| reason | gRPC | HTTP | when |",
        "|---|---|---|---|",
    ]
    family = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.RegistryError) and kind is not errors.RegistryError
    ]
    for kind in sorted(family, key=lambda k: (k.code, k.reason)):
        http = HTTP_BY_REASON.get(kind.reason, HTTP[kind.code])
        lines.append(f"| `{kind.reason}` | {GRPC[kind.code].name} | {http} | {_when(kind)} |")
    lines.append("| `INTERNAL` | INTERNAL | 500 | A fault of the server; its log has the request id. |")
    return "\n".join(lines) + "\n"


def _when(kind: type[errors.RegistryError]) -> str:
    own = kind.__dict__.get("__doc__")
    if own:
        return " ".join(own.split("\n\n")[0].split())
    words = "".join(" " + c.lower() if c.isupper() else c for c in kind.__name__).strip()
    return words[0].upper() + words[1:] + "."


def lint_page() -> str:
    """One table row a rule, type by type."""
    lines = [
        "# Lint rules",
        "",
        "Written by `make docs`. `llm_schema_engines.lint` runs the rules marked *on*; `enable=[...]` and `disable=[...]` take ids.",
        "A report is true when it holds nothing worse than INFO. What the parser of a type warns of is reported too. The rules of",
        "Protobuf have the names and meanings of [Buf's](https://buf.build/docs/lint/rules).",
    ]
    for kind in dict.fromkeys(rule.schema_type for rule in LINT_RULES):
        lines += [
            "",
            f"## {kind.name}",
            "",
            "| rule | severity | | what a good schema does | otherwise |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{r.id}` | {r.severity.name} | {'on' if r.by_default else 'off'} | {r.sentence} | {r.hint} |"
            for r in LINT_RULES
            if r.schema_type is kind
        ]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "errors.md": errors_page, "lint.md": lint_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
