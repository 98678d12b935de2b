"""Writes docs/settings.md, docs/errors.md, docs/lint.md, docs/metrics.md, docs/llm/profiles.md and the table of docs/http.md from the code, and what the
chart has of it (helm/generate.py): `make docs`."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from llm_schema_engines import LINT_RULES, Basis, Profile, Support, provider_profiles
from llm_schema_engines.linter.registering import MOST_TEXT, MOST_TOLD
from llm_schema_engines.providers.profile import Cell, KeyOrder
from llm_schema_registry_server import errors
from llm_schema_registry_server.calls.failure import INTERNAL_REASON
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.http import SOCKETS
from llm_schema_registry_server.rpc.methods import SERVICES
from llm_schema_registry_server.settings import PREFIX, Settings
from llm_schema_registry_server.telemetry.families import ALL as FAMILIES
from llm_schema_registry_server.transports.http import errors as http_errors  # noqa: F401 - its classes join the family
from llm_schema_registry_server.transports.status import GRPC, HTTP, HTTP_BY_REASON

HERE = Path(__file__).parent
PROTOS = HERE.parent / "protos"
ERRORS_PROTO = "schema_registry/v1/errors.proto"
PATHS_BEGIN, PATHS_END = "<!-- paths: written by `make docs` -->", "<!-- end of paths -->"
REASON_PREFIX = "ERROR_REASON_"


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
    """One table row a reason, in the order of `enum ErrorReason`."""
    lines = [
        "# Errors",
        "",
        "Written by `make docs` from `enum ErrorReason` (protos/schema_registry/v1/errors.proto). Every failure carries",
        "`google.rpc.ErrorInfo` (domain `schema-registry`, the reason below, facts as metadata, the request id); a wrong field",
        "also `google.rpc.BadRequest`; a refused registration the `CompatibilityReport`. HTTP answers with the status below",
        "and `{error_code, message, details, request_id}`.",
        "",
        "| reason | gRPC | HTTP | what it means, and what to do |",
        "|---|---|---|---|",
    ]
    codes = {kind.reason: kind.code for kind in _family(errors.RegistryError)}
    codes[INTERNAL_REASON] = errors.Code.INTERNAL
    for reason, meaning in error_reasons().items():
        code = codes[reason]
        http = HTTP_BY_REASON.get(reason, HTTP[code])
        lines.append(f"| `{reason}` | {GRPC[code].name} | {http} | {meaning} |")
    return "\n".join(lines) + "\n"


def _described(proto: str) -> FileDescriptorProto:
    """A file of protos/ with its comments."""
    include = [f"-I{PROTOS / 'third_party'}", f"-I{files('grpc_tools') / '_proto'}"]
    with tempfile.NamedTemporaryFile() as out:
        arguments = ["protoc", f"-I{PROTOS}", *include, "--include_source_info", f"-o{out.name}", proto]
        if protoc.main(arguments):
            raise SystemExit("protoc failed")
        return FileDescriptorSet.FromString(Path(out.name).read_bytes()).file[0]


def error_reasons() -> dict[str, str]:
    """The reasons of `enum ErrorReason`, without their prefix, with the comments beside them in the proto."""
    file = _described(ERRORS_PROTO)
    # A location's path counts fields of FileDescriptorProto: enum_type (5) number 0, value (2) number n.
    comments = {
        place.path[3]: " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
        if len(place.path) == 4 and tuple(place.path[:3]) == (5, 0, 2)
    }
    values = file.enum_type[0].value
    return {v.name.removeprefix(REASON_PREFIX): comments[n] for n, v in enumerate(values) if v.number}


def _family(kind: type[errors.RegistryError]) -> Iterator[type[errors.RegistryError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _family(child)


def lint_page() -> str:
    """One table row a rule, type by type."""
    lines = [
        "# Lint rules",
        "",
        "Written by `make docs`. `llm_schema_engines.lint` runs the rules marked *on*; `enable=[...]` and `disable=[...]` take ids.",
        "A report is true when it holds nothing worse than INFO. What the parser of a type warns of is reported too. The rules of",
        "Protobuf have the names and meanings of [Buf's](https://buf.build/docs/lint/rules).",
        "",
        "A server tells what the rules find as `warnings` and `issues` of ValidateSchema, which runs all that are *on* and tells up to 200",
        "findings with their lines, and as `warnings` of RegisterSchema, which runs those that are *on*, worse than INFO and not *costly* while",
        f"it parses: at most {MOST_TOLD} findings and {MOST_TEXT // 1024} KiB. `lint` of a subject, a context or the registry (SetConfig, the setting `lint`) says what a",
        "registration does with them:",
        "",
        "| `lint` | |",
        "|---|---|",
        "| `OFF` | nothing is told |",
        "| `WARN` | findings are told; this holds where nothing is set |",
        "| `REFUSE_ERRORS` | all rules of severity ERROR run, and a finding is `LINT_REFUSED`, with every one of them in the details |",
        "| `REFUSE_WARNINGS` | all rules run, and a finding of severity ERROR or WARNING is `LINT_REFUSED` |",
        "",
        "What a policy refuses does not become REGISTERED in any way, nor does it come back by UndeleteSchema; drafts are stored, and what was",
        "let in before stays in. A schema that is too large to be looked at whole is refused too. Why:",
        "[decision 0025](decisions/0025-what-lint-refuses.md).",
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
            f"| `{r.id}` | {r.severity.name} | {'off' if not r.by_default else 'on, costly' if r.costly else 'on'} | {r.sentence} | {r.hint} |"
            for r in LINT_RULES
            if r.schema_type is kind
        ]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """One table row a family of series, with the alerts, recording rules and panels that ask for it."""
    rules, panels = _rules_by_family(), _panels_by_family()
    lines = [
        "# Metrics",
        "",
        "Written by `make docs` from `telemetry/families.py`. Port 9091 (`metrics.port`) answers `GET /metrics` in the text format of",
        "Prometheus, and in OpenMetrics, with exemplars, to who accepts `application/openmetrics-text`. Durations are seconds, sizes",
        "bytes. No label holds what callers choose: the number of series is bounded by the number of RPCs, routes and codes.",
        "",
        "Every call counts in `schema_registry_calls_total` and in the histograms of its duration, however it was answered: cached",
        "answers, refusals before a handler, requests that cannot be read. `rpc_server_*` and `http_server_*` have the same calls by the",
        "names of OpenTelemetry's semantic conventions. What serves requests is in [telemetry.md](telemetry.md), and which dashboards there are.",
    ]
    for area in dict.fromkeys(family.area for family in FAMILIES.values()):
        families = [family for family in FAMILIES.values() if family.area == area]
        lines += ["", f"## {area}", ""]
        optional = {family.optional for family in families}
        if optional != {""} and len(optional) == 1:
            lines += [f"Only with the setting `{optional.pop()}`.", ""]
        lines += [
            "| name | type | labels | unit | meaning | alerts and rules | panels |",
            "|---|---|---|---|---|---|---|",
        ]
        for family in families:
            labels = ", ".join(f"`{label}`" for label in family.labels)
            only = f" Only with `{family.optional}`." if family.optional and len(optional) else ""
            users = ", ".join(rules.get(family.name, ()))
            shown = "; ".join(
                f"*{board}*: {', '.join(titles)}" for board, titles in panels.get(family.name, {}).items()
            )
            lines.append(
                f"| `{family.name}` | {family.kind} | {labels} | {family.unit} | {family.meaning}{only} | {users} | {shown} |"
            )
    return "\n".join(lines) + "\n"


def _families(expression: str) -> Iterator[str]:
    """The families that an expression of PromQL asks for."""
    for name in dict.fromkeys(re.findall(r"[a-z0-9_]{2,}", expression)):
        family = FAMILIES.get(name) or FAMILIES.get(re.sub(r"_(bucket|count|sum)$", "", name))
        if family is not None:
            yield family.name


def _panels_by_family() -> dict[str, dict[str, list[str]]]:
    """The panels that ask for a family, by its name and by the dashboard."""
    found: dict[str, dict[str, list[str]]] = {}
    for file in sorted((HERE.parent / "deploy" / "grafana").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", ()):
                for name in _families(target["expr"]):
                    titles = found.setdefault(name, {}).setdefault(file.stem, [])
                    if panel["title"] not in titles:
                        titles.append(panel["title"])
    return found


def _rules_by_family() -> dict[str, list[str]]:
    """The alerts and recording rules that ask for a family, by its name."""
    found: dict[str, list[str]] = {}
    for file in sorted((HERE.parent / "deploy" / "prometheus" / "rules").glob("*.yaml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                user = rule.get("alert") or f"`{rule['record']}`"
                for name in _families(rule["expr"]):
                    if user not in found.setdefault(name, []):
                        found[name].append(user)
    return found


def http_page() -> str:
    """docs/http.md with the table of all paths as the protos have them now."""
    before, _, rest = (HERE / "http.md").read_text().partition(PATHS_BEGIN)
    _, _, after = rest.partition(PATHS_END)
    return f"{before}{PATHS_BEGIN}\n\n{_paths_table()}\n{PATHS_END}{after}"


def _paths_table() -> str:
    lines = ["| | path | RPC | permission | what it does |", "|---|---|---|---|---|"]
    comments = {name: text for service in SERVICES for name, text in _rpc_comments(service.file.name).items()}
    rows = [
        (binding.path, binding.verb, method.name, method.operation.permission, comments[method.name])
        for method in methods.load()
        for binding in method.bindings
    ]
    rows += [
        (path, "WebSocket", rpc.rpartition("/")[2], "", "The same, each change as a message.")
        for path, rpc in SOCKETS.items()
    ]
    lines += [
        f"| {verb} | `{path}` | {rpc} | {permission} | {what} |"
        for path, verb, rpc, permission, what in sorted(rows)
    ]
    return "\n".join(lines) + "\n"


def _rpc_comments(proto: str) -> dict[str, str]:
    """The first sentence of the comment on each RPC of a file."""
    file = _described(proto)
    found = {}
    # service (6) number n, method (2) number m of FileDescriptorProto.
    for place in file.source_code_info.location:
        if len(place.path) == 4 and (place.path[0], place.path[2]) == (6, 2):
            name = file.service[place.path[1]].method[place.path[3]].name
            found[name] = " ".join(place.leading_comments.split()).partition(". ")[0].replace("|", "\\|")
    return found


PROFILE_WORDS = {
    Support.ENFORCED: "**yes**",
    Support.ACCEPTED: "taken, not enforced",
    Support.IGNORED: "dropped silently",
    Support.RESTRICTED: "taken, used less",
    Support.REJECTED: "refused",
    Support.UNKNOWN: "?",
}
LABELS = {
    Basis.DOCUMENTED: "D",
    Basis.OBSERVED: "O",
    Basis.MEASURED: "M",
    Basis.INFERRED: "I",
    Basis.NONE: "",
}


def profiles_page() -> str:
    """One section a profile: keywords, shapes, limits, each with its label, date and source."""
    lines = [
        "# What providers take and enforce",
        "",
        "Written by `make docs` from the profiles in `engines/llm_schema_engines/providers/data`. How they are used:",
        "[providers.md](providers.md). Labels: **D** documented by the vendor, **O** observed against the service by somebody who wrote it",
        "down, **M** measured with the program itself, **I** inferred. `?` is what no source says: it is never guessed.",
        "",
        "| profile | | as of |",
        "|---|---|---|",
    ]
    for name, profile in provider_profiles().items():
        lines.append(f"| [{name}](#{name}) | {profile.title} | {profile.as_of} |")
    for name, profile in provider_profiles().items():
        lines += ["", f"## {name}", "", f"{profile.title}; version {profile.version}.", ""]
        lines += ["| what | what becomes of it | known | note |", "|---|---|---|---|"]
        lines.append(_profile_row("the schema as a whole", profile.enforcement, profile))
        order, cell = profile.key_order
        if order is not KeyOrder.UNKNOWN:
            lines.append(
                _profile_row(f"keys come in the order {order.lower().replace('_', ' ')}", cell, profile)
            )
        for word, cells in profile.keywords.items():
            for cell in cells:
                lines.append(_profile_row(f"`{word}`{_profile_case(cell)}", cell, profile))
        lines.append(_profile_row("any other keyword", profile.unlisted, profile))
        for rule, cell in profile.structure.items():
            lines.append(_profile_row(rule.replace("_", " "), cell, profile))
        for limit in profile.limits:
            scope = "in a request" if limit.per_request else "in a schema"
            measure = limit.measure.replace("_", " ")
            lines.append(_profile_row(f"at most {limit.most:,} {measure} {scope}", limit.cell, profile))
        if profile.tool_name is not None:
            rule = f"name of a tool: `{profile.tool_name.pattern}`, at most {profile.tool_name.most}"
            lines.append(_profile_row(rule, profile.tool_name.cell, profile))
        if profile.not_guaranteed:
            lines += ["", "Not guaranteed even so:", ""]
            lines += [f"- {entry.text} ({_profile_known(entry.cell)})" for entry in profile.not_guaranteed]
        lines += ["", "Sources:", ""]
        for key, source in profile.sources.items():
            lines.append(f"- {key}: {f'[{source.title}]({source.url})' if source.url else source.title}")
    return "\n".join(lines) + "\n"


def _profile_row(what: str, cell: Cell, profile: Profile) -> str:
    note = cell.note.replace("|", "\\|")
    return f"| {what} | {PROFILE_WORDS[cell.support]} | {_profile_known(cell)} | {note} |"


def _profile_known(cell: Cell) -> str:
    return f"{LABELS[cell.basis]} {cell.as_of} {cell.source}" if cell.source else cell.as_of


def _profile_case(cell: Cell) -> str:
    """The case of a cell in words; "" where it is all others."""
    if cell.when is None:
        return ""
    parts = []
    for field in dataclasses.fields(cell.when):
        value = getattr(cell.when, field.name)
        if value is not None:
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
            parts.append(f"{field.name} {shown}")
    return f" ({'; '.join(parts)})"


PAGES = {
    "llm/profiles.md": profiles_page,
    "settings.md": settings_page,
    "errors.md": errors_page,
    "lint.md": lint_page,
    "metrics.md": metrics_page,
    "http.md": http_page,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
    runpy.run_path(str(HERE.parent / "helm" / "generate.py"), run_name="__main__")
