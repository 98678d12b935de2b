"""The command schema-registry-server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from . import __version__
from .settings import Settings, SettingsError, load

app = typer.Typer(
    name="schema-registry-server",
    help="The LLM Schema Registry: serves schemas over gRPC and HTTP.",
    epilog="Settings come from a TOML file and SCHEMA_REGISTRY_* variables; `check-settings` shows them all.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="TOML file with settings; SCHEMA_REGISTRY_CONFIG names one too.",
        show_default=False,
    ),
]


def _fail(message: str, code: int) -> NoReturn:
    print(f"schema-registry-server: {message}", file=sys.stderr)
    raise typer.Exit(code)


def _settings(config: Path | None) -> Settings:
    try:
        return load(config)
    except SettingsError as error:
        _fail(f"the settings cannot be used:\n{error}", 2)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"schema-registry-server {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Common options."""


@app.command()
def serve(
    config: ConfigFile = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            help="Once calls are accepted, write the bound ports into this file as JSON: {grpc, http, metrics}.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: calls in flight finish, streams end with where to resume.

    Ports 9090 (gRPC), 8080 (HTTP), 9091 (metrics); data in ./data/registry.db unless set otherwise.
    """
    from .app import serve as run  # the servers and engines are loaded only where they are needed

    code = run(_settings(config), ready_file)
    if code:
        raise typer.Exit(code)


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the storage to the schema that this version needs, and stop. `serve` does it too for embedded storage."""
    from .app import migrate as run

    code = run(_settings(config))
    if code:
        raise typer.Exit(code)


@app.command("check-settings")
def check_settings(config: ConfigFile = None) -> None:
    """Print the settings in force as JSON, secrets masked; exit code 2 when they cannot be used."""
    print(json.dumps(_settings(config).model_dump(mode="json"), indent=2))


def main() -> None:
    app()
