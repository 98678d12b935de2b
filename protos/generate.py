"""Generates the typed stubs of the SDK from the protos beside this file: `make proto`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).parent
STUBS = HERE.parent / "clients/python/llm_schema_registry/v1"
INIT = '"""Generated messages and stubs of package schema_registry.v1. Do not edit: run `make proto`."""\n'


def generate(target: Path) -> None:
    """Write the stubs into `target`, importable as llm_schema_registry.v1."""
    well_known = Path(next(iter(grpc_tools.__path__))) / "_proto"
    sources = sorted(str(p.relative_to(HERE)) for p in HERE.glob("schema_registry/v1/*.proto"))
    with tempfile.TemporaryDirectory() as out:
        outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
        plugins = [
            f"--plugin={p}={Path(sys.executable).parent / p}"
            for p in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
        ]
        if protoc.main(
            ["protoc", f"-I{HERE}", f"-I{HERE}/third_party", f"-I{well_known}", *plugins, *outputs, *sources]
        ):
            raise SystemExit("protoc failed")
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(Path(out, "schema_registry/v1").iterdir()):
            # The modules live in the SDK's package; file names inside the descriptors stay as in protos/.
            text = re.sub(
                r"\bschema_registry\.v1(?= import|\.\w+_pb2)", "llm_schema_registry.v1", file.read_text()
            )
            (target / file.name).write_text(text)
    (target / "__init__.py").write_text(INIT)


if __name__ == "__main__":
    generate(STUBS)
