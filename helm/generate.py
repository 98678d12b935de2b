"""Writes what the chart has from elsewhere: `python helm/generate.py` (`make docs` does it too).

* values.schema.json: the values' schema of helm/values.schema.json, with the server's own settings in it, so that a wrong
  setting is refused when the chart is rendered
* README.md: a row a value, from the comments of values.yaml
* Chart.yaml: the version
* files/: the rules of deploy/prometheus and the dashboards of deploy/grafana, which a chart cannot reach
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llm_schema_registry_server import __version__
from llm_schema_registry_server.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parent
CHART = HERE / "llm-schema-registry"
COPIED = {
    "rules": (ROOT / "deploy/prometheus/rules", "*.yaml"),
    "dashboards": (ROOT / "deploy/grafana", "*.json"),
}
"""Folder of the chart's files: where they come from."""
_LINE = re.compile(r"^( *)([A-Za-z0-9_]+):(?: (.*))?$")


def settings_schema() -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The schema of the tree of settings without its secrets, the definitions that it refers to, and the paths of the secrets."""
    root = Settings.model_json_schema()
    definitions = root.pop("$defs")
    secrets = sorted(_secrets(root, definitions, ()))
    for section in (root, *definitions.values()):
        section["properties"] = {
            name: _plain(field) for name, field in section["properties"].items() if not _is_secret(field)
        }
    return _plain(root), {name: _plain(section) for name, section in definitions.items()}, secrets


def _secrets(section: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for name, field in section["properties"].items():
        if _is_secret(field):
            yield ".".join((*path, name))
        elif "$ref" in field:
            yield from _secrets(definitions[field["$ref"].rpartition("/")[2]], definitions, (*path, name))


def _is_secret(field: dict[str, Any]) -> bool:
    return any(kind.get("writeOnly") for kind in (field, *field.get("anyOf", ())))


def _plain(schema: Any) -> Any:
    """Without what nobody reads in a chart: titles, defaults, formats of pydantic's own."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema:
        fields = {name: _plain(field) for name, field in schema["properties"].items()}
        rest = {k: v for k, v in schema.items() if k not in ("properties", "title", "default", "description")}
        return {**_plain(rest), "properties": fields}
    return {
        key: " ".join(value.split()) if key == "description" else _plain(value)
        for key, value in schema.items()
        if not (key in ("title", "default", "format") and not isinstance(value, dict))
    }


def values_schema() -> str:
    """values.schema.json."""
    schema = json.loads((HERE / "values.schema.json").read_text())
    tree, definitions, secrets = settings_schema()
    schema["properties"]["settings"] = tree
    schema["properties"]["secrets"] = {
        "type": "object",
        "description": "Settings that are secrets, each from a key of a Secret that exists.",
        "additionalProperties": False,
        "properties": {path: {"$ref": "#/$defs/keyOfSecret"} for path in secrets},
    }
    schema["$defs"] |= definitions
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def readme() -> str:
    """README.md."""
    text = (CHART / "values.yaml").read_text()
    lines = [
        "# llm-schema-registry",
        "",
        "The LLM Schema Registry on Kubernetes. Written by `python helm/generate.py`; docs/deployment.md says how to run it.",
        "",
        "    helm install registry helm/llm-schema-registry --set settings.auth.insecure=true      # to try it: SQLite on a volume",
        "",
        "In production: PostgreSQL, several servers, callers that show who they are.",
        "",
        "```yaml",
        (CHART / "ci/production-values.yaml").read_text().rstrip(),
        "```",
        "",
        "## Values",
        "",
        "| value | default | meaning |",
        "|---|---|---|",
        *(f"| `{path}` | {default} | {meaning} |" for path, default, meaning in _values(text)),
        "",
        "## Secrets",
        "",
        "These settings are taken by `secrets`, never by `settings`:",
        "",
        *(f"* `{path}`" for path in settings_schema()[2]),
    ]
    return "\n".join(lines) + "\n"


def _values(text: str) -> Iterator[tuple[str, str, str]]:
    """Each value that is no group: path, default, the comment above it (or above its group)."""
    defaults = yaml.safe_load(text)
    comment: list[str] = []
    parents: list[tuple[int, str, str]] = []
    whole = -1
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip(" #"))
            continue
        found = _LINE.match(line)
        if found is None or (whole >= 0 and len(found[1]) > whole):
            comment = [] if not line.strip() else comment
            continue
        whole = -1
        indent, name, rest = len(found[1]), found[2], found[3]
        parents = [parent for parent in parents if parent[0] < indent]
        meaning = " ".join(comment).replace("|", "\\|")
        path = [*(parent[1] for parent in parents), name]
        value = defaults
        for part in path:
            value = value[part]
        comment = []
        if rest is None and isinstance(value, dict) and name not in _WHOLE:
            parents.append((indent, name, meaning))
            continue
        whole = indent
        yield ".".join(path), f"`{json.dumps(value)}`" if value != "" else "", meaning


_WHOLE = ("behavior", "annotations", "podSecurityContext", "securityContext")
"""Groups that are one value."""


def chart() -> str:
    """Chart.yaml with the version of the server."""
    text = (CHART / "Chart.yaml").read_text()
    text = re.sub(r"^version: .*$", f"version: {__version__}", text, flags=re.MULTILINE)
    return re.sub(r"^appVersion: .*$", f'appVersion: "{__version__}"', text, flags=re.MULTILINE)


def copies() -> dict[str, str]:
    """The files that are copied into the chart, by their path in it."""
    return {
        f"files/{folder}/{file.name}": file.read_text()
        for folder, (source, pattern) in COPIED.items()
        for file in sorted(source.glob(pattern))
    }


def pages() -> dict[str, str]:
    """All that is written, by its path in the chart."""
    return {"values.schema.json": values_schema(), "README.md": readme(), "Chart.yaml": chart(), **copies()}


def main() -> None:
    written = pages()
    for folder in COPIED:
        for stale in (CHART / "files" / folder).glob("*"):
            if f"files/{folder}/{stale.name}" not in written:
                stale.unlink()
    for name, text in written.items():
        (CHART / name).parent.mkdir(parents=True, exist_ok=True)
        (CHART / name).write_text(text)


if __name__ == "__main__":
    main()
