"""Writes the methods of both clients from the functions in `_calls`, so that each is written once and read as plain source.

`python clients/python/generate.py` (or `make sdk`) writes `_sync_calls.py` and `_async_calls.py`. A function such as
`get_schema(schema_id, ...) -> Unary[SchemaInfo]` becomes the method `get_schema(self, schema_id, ...) -> SchemaInfo`
with the same parameters and documentation.
"""

from __future__ import annotations

import ast
import copy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parent / "llm_schema_registry"

METHODS: dict[str, tuple[str, ...]] = {
    "schemas": (
        "register_schema",
        "get_schema",
        "get_schema_by_version",
        "get_latest_version",
        "list_schemas",
        "update_schema_metadata",
        "delete_schema",
        "undelete_schema",
        "get_schema_history",
        "search_schemas",
        "get_dependencies",
        "get_dependents",
    ),
    "checks": ("validate_data", "validate_many", "validate_schema", "check_compatibility", "check_many"),
    "tools": ("get_schemas", "validate_items", "diff_schemas", "convert_schema"),
    "providers": (
        "list_profiles",
        "get_profile",
        "put_profile",
        "delete_profile",
        "check_profile",
        "compile_for_provider",
        "decode_answer",
        "grammar_for",
        "list_profile_verdicts",
    ),
    "answers": ("validate_stream", "reask_answer", "coerce_answer"),
    "fixes": ("find_fixes",),
    "conformance": ("report_outcomes", "get_conformance"),
    "subjects": (
        "list_subjects",
        "list_versions",
        "get_subject_versions",
        "delete_subject",
        "get_config",
        "set_config",
        "delete_config",
        "health_check",
    ),
    "admin": ("get_statistics",),
    "tickets": ("create_ticket",),
    "credentials": (
        "create_api_key",
        "list_api_keys",
        "get_api_key",
        "update_api_key",
        "rotate_api_key",
        "delete_api_key",
        "revoke_token",
        "list_revoked_tokens",
        "who_am_i",
    ),
    "access": (
        "list_grants",
        "set_grant",
        "delete_grant",
        "get_policies",
        "set_policies",
        "explain_access",
    ),
    "audit": (
        "list_audit_events",
        "get_audit_checkpoint",
        "get_inclusion_proof",
        "get_consistency_proof",
        "export_audit",
        "certify_compatibility",
    ),
}
"""Module of `_calls` -> its functions that become methods, in their order."""

PAGED = {
    "list_subjects": "iter_subjects",
    "list_versions": "iter_versions",
    "search_schemas": "iter_search",
    "get_schemas": "get_many",
    "list_api_keys": "iter_api_keys",
    "list_revoked_tokens": "iter_revoked_tokens",
    "list_audit_events": "iter_audit_events",
    "list_grants": "iter_grants",
    "list_profile_verdicts": "iter_profile_verdicts",
    "get_conformance": "iter_conformance",
}
"""Functions that answer one page -> the method that gives all items."""

PAGED_PREFACE = "All items, page by page (`limit` is the size of a page). "

HEAD = '''"""The methods of {kind} client, one for each call. Made by clients/python/generate.py from `_calls`: edit those."""

from __future__ import annotations

{imports}


class {name}:
    """What a client can be asked, carried out by its transport."""

    _transport: {transport}
'''


@dataclass(frozen=True)
class Flavour:
    """What differs between the clients."""

    file: str
    name: str
    kind: str
    transport_module: str
    transport: str
    stream: str
    """The type of an iterator of items."""
    items: str
    """The type of the items of a batch."""
    asynchronous: bool


BLOCKING = Flavour(
    "_sync_calls.py", "SyncCalls", "the blocking", "_blocking", "BlockingTransport",
    "Iterator[{}]", "Iterable[{}]", asynchronous=False,
)  # fmt: skip
ASYNC = Flavour(
    "_async_calls.py", "AsyncCalls", "the asyncio", "_asynchronous", "AsyncTransport",
    "AsyncGenerator[{}, None]", "Iterable[{0}] | AsyncIterable[{0}]", asynchronous=True,
)  # fmt: skip


class Module:
    """One module of `_calls`: its functions, and where the names in their signatures come from."""

    def __init__(self, name: str) -> None:
        self.name = name
        tree = ast.parse((PACKAGE / "_calls" / f"{name}.py").read_text(encoding="utf-8"))
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self._sources: dict[str, str] = {}
        for node in tree.body:
            match node:
                case ast.ImportFrom(module=module, names=names, level=level):
                    source = f".{module or ''}" if level == 2 else f"._calls.{module}" if level else module
                    self._sources |= {alias.asname or alias.name: str(source) for alias in names}
                case ast.ClassDef(name=defined):
                    self._sources[defined] = f"._calls.{name}"
                case ast.Assign(targets=[ast.Name(id=defined)]) | ast.AnnAssign(target=ast.Name(id=defined)):
                    self._sources[defined] = f"._calls.{name}"

    def imports(self, text: str) -> set[tuple[str, str]]:
        """(module, name) of each name in a piece of source that this module imports or defines."""
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        return {(self._sources[name], name) for name in names if name in self._sources}


def source(flavour: Flavour) -> str:
    """The text of one generated module, formatted."""
    imports = {(f".{flavour.transport_module}", flavour.transport)}
    methods: list[str] = []
    for module_name, names in METHODS.items():
        module = Module(module_name)
        imports.add(("._calls", module_name))
        for name in names:
            function = module.functions[name]
            methods.append(_method(module_name, function, flavour, name, paged=False))
            if name in PAGED:
                methods.append(_method(module_name, function, flavour, PAGED[name], paged=True))
        text = "\n".join(methods)
        imports |= module.imports("class _:\n" + text)
        imports |= {
            ("collections.abc", name)
            for name in ("AsyncGenerator", "AsyncIterable", "Iterable", "Iterator", "Mapping", "Sequence")
            if f"{name}[" in text
        }
    lines: dict[str, set[str]] = {}
    for origin, name in imports:
        lines.setdefault(origin, set()).add(name)
    text = HEAD.format(
        kind=flavour.kind,
        name=flavour.name,
        transport=flavour.transport,
        imports="\n".join(
            f"from {origin} import {', '.join(sorted(lines[origin]))}" for origin in sorted(lines)
        ),
    )
    return _formatted(text + "\n" + "\n".join(methods), flavour.file)


def _method(module: str, function: ast.FunctionDef, flavour: Flavour, name: str, *, paged: bool) -> str:
    assert isinstance(function.returns, ast.Subscript)
    shape = ast.unparse(function.returns.value)
    inside = function.returns.slice
    result, item = inside, ""
    if shape == "Batch":
        assert isinstance(inside, ast.Tuple)
        item, result = ast.unparse(inside.elts[0]), inside.elts[1]
    if paged:
        assert isinstance(result, ast.Subscript)
        result = result.slice  # Page[R] or Items[R] -> R
    streams = paged or shape != "Unary"
    returned = flavour.stream.format(ast.unparse(result)) if streams else ast.unparse(result)

    parameters = copy.deepcopy(function.args)
    signature = ast.unparse(parameters)
    arguments = [argument.arg for argument in parameters.args]
    arguments += [f"{argument.arg}={argument.arg}" for argument in parameters.kwonlyargs]
    first = f"self, items: {flavour.items.format(item)}, /" if shape == "Batch" else "self"
    described = f"{module}.{function.name}({', '.join(arguments)})"
    verb = {"Unary": "pages" if paged else "unary", "Listing": "listing", "Batch": "batch"}[shape]
    call = f"self._transport.{verb}({described}{', items' if shape == 'Batch' else ''})"
    awaited = flavour.asynchronous and not streams
    documentation = _documentation(function, PAGED_PREFACE if paged else "")
    return (
        f"    {'async ' if awaited else ''}def {name}({first}{', ' if signature else ''}{signature}) -> {returned}:\n"
        f"{documentation}"
        f"        return {'await ' if awaited else ''}{call}\n"
    )


def _documentation(function: ast.FunctionDef, preface: str) -> str:
    text = ast.get_docstring(function, clean=True)
    if text is None:
        raise SystemExit(f"{function.name} has no documentation")
    lines = (preface + text).splitlines()
    body = "\n".join(f"        {line}" if line else "" for line in lines[1:])
    end = f"\n{body}\n        " if len(lines) > 1 else ""
    return f'        """{lines[0]}{end}"""\n'


def _formatted(text: str, name: str) -> str:
    """The text as ruff leaves it: imports in order, lines within the limit."""
    for command in (["check", "--select", "I", "--fix", "--quiet"], ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(PACKAGE / name), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


if __name__ == "__main__":
    for each in (BLOCKING, ASYNC):
        (PACKAGE / each.file).write_text(source(each), encoding="utf-8")
