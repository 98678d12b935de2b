"""Writes docs/settings.md, docs/errors.md, docs/lint.md and the table of docs/http.md from the code: `make docs`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from llm_schema_engines import LINT_RULES
from llm_schema_engines.linter.registering import MOST_TEXT, MOST_TOLD
from llm_schema_registry_server import errors
from llm_schema_registry_server.calls.failure import INTERNAL_REASON
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.http import SOCKETS
from llm_schema_registry_server.rpc.methods import SERVICES
from llm_schema_registry_server.settings import PREFIX, Settings
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


PAGES = {"settings.md": settings_page, "errors.md": errors_page, "lint.md": lint_page, "http.md": http_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
