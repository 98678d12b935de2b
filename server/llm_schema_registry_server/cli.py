"""The command schema-registry-server."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
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

MIN_GRACE = timedelta(minutes=15)
"""More than a registration takes at most from writing an object to committing the version that names it."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

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


def _settings(config: Path | None, *, insecure: bool = False) -> Settings:
    try:
        return load(config, insecure=insecure)
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
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Listen beyond loopback though no credentials are asked for: everyone who reaches the ports may read and "
            "change everything.",
        ),
    ] = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: calls in flight finish, streams end with where to resume.

    Ports 9090 (gRPC), 8080 (HTTP), 9091 (metrics) of loopback; data in ./data/registry.db unless set otherwise.
    """
    from .app import serve as run  # slow to import: only for this command

    code = run(_settings(config, insecure=insecure), ready_file)
    if code:
        raise typer.Exit(code)


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the storage to the schema that this version needs, and stop. `serve` does it too for embedded storage."""
    from .maintenance import migrate as run

    code = run(_settings(config))
    if code:
        raise typer.Exit(code)


@app.command("collect-garbage")
def collect_garbage(
    config: ConfigFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; delete nothing.")] = False,
    grace: Annotated[
        str, typer.Option(help="Spare objects written more recently than this: 90m, 24h, 7d. At least 15m.")
    ] = "24h",
) -> None:
    """Delete the objects in the object store (blobs.kind s3) that no schema needs: left by crashes, by registrations
    that failed late, and by permanent deletes. May run beside servers. Prints the totals as JSON.
    """
    spared = _duration(grace)
    if spared < MIN_GRACE:
        _fail(f"--grace {grace}: must be a number with s, m, h or d, and at least 15m", 2)
    settings = _settings(config)
    if settings.blobs.kind == "inline":
        _fail("blobs.kind is `inline`: there is no object store to clean", 2)
    from .maintenance import collect_garbage as run

    code = run(settings, grace=spared, dry_run=dry_run)
    if code:
        raise typer.Exit(code)


@app.command("compact-changes")
def compact_changes(
    config: ConfigFile = None,
    older_than: Annotated[
        str | None, typer.Option(help="Forget changes older than this: 90m, 24h, 30d.", show_default=False)
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Forget all but so many of the newest changes.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; forget nothing.")] = False,
    ignore_cursors: Annotated[
        bool, typer.Option("--ignore-cursors", help="Forget also what durable cursors have not passed.")
    ] = False,
) -> None:
    """Forget old changes of the log: what either option lets go, oldest first, in small steps. Schemas and their history
    stay, and so does what a durable cursor has not passed, within `changes.cursor_hold_*`. Who resumes from before the
    oldest change left gets an error with the revision to start again from. May run beside servers. Prints the number of changes, the bounds of the
    log and the cursors as JSON.
    """
    age = None if older_than is None else _duration(older_than)
    if age is None and keep is None:
        _fail("say what to forget: --older-than 30d, --keep 100000, or both", 2)
    if age is not None and not age:
        _fail(f"--older-than {older_than}: must be a number above 0 with s, m, h or d", 2)
    from .maintenance import compact_changes as run
    from .registry.retention import RetentionPolicy

    code = run(_settings(config), RetentionPolicy(age, keep), dry_run=dry_run, ignore_cursors=ignore_cursors)
    if code:
        raise typer.Exit(code)


@app.command()
def repair(
    config: ConfigFile = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Mend what is found; without it nothing is changed.")
    ] = False,
) -> None:
    """Find rows that cannot be read, contents that are missing or altered, and references that point to nothing; say of each
    what is wrong and what is done about it (on stderr), and print the totals as JSON. Exit code 3 when something stays
    damaged. May run beside servers. Make an export or a backup before `--apply`.
    """
    from .maintenance import repair as run

    code = run(_settings(config), apply=apply)
    if code:
        raise typer.Exit(code)


@app.command("export")
def export_archive(
    archive: Annotated[Path, typer.Argument(help="The file to make; an existing one is replaced.")],
    config: ConfigFile = None,
) -> None:
    """Write everything (versions, contents, ids, configuration, history, changes) into one file, as it is at this moment.

    May run beside servers. `import` reads it into any other storage. Prints the number of lines of each kind as JSON.
    """
    from .maintenance import export_to as run

    code = run(_settings(config), archive)
    if code:
        raise typer.Exit(code)


@app.command("import")
def import_archive(
    archive: Annotated[Path, typer.Argument(help="A file that `export` has made.")],
    config: ConfigFile = None,
) -> None:
    """Fill an empty storage from an archive, all of it or nothing; ids and revisions stay as they were.

    Before any server runs on that storage.
    """
    from .maintenance import import_from as run

    code = run(_settings(config), archive)
    if code:
        raise typer.Exit(code)


def _duration(text: str) -> timedelta:
    """`90m` as a duration; zero for text that is no duration."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    return timedelta(seconds=int(match[1]) * UNITS[match[2]]) if match else timedelta()


@app.command("check-settings")
def check_settings(config: ConfigFile = None) -> None:
    """Print the settings in force as JSON, secrets masked; exit code 2 when they cannot be used."""
    print(json.dumps(_settings(config).model_dump(mode="json"), indent=2))


def main() -> None:
    app()
