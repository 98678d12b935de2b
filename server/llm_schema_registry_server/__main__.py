"""The command schema-registry-server, and `python -m llm_schema_registry_server`. Says which packages to install when some
are missing: the SDK comes without those of the server."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from .cli import main as run

        run()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("llm_schema_"):
            raise  # a fault of ours
        print(
            f"schema-registry-server: {error.name} is not installed; pip install 'llm-schema-registry[server]'",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
