"""The command schema-registry-server."""

from __future__ import annotations

import json
import os
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
    context_settings={"help_option_names": ["-h", "--help"]},
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


def _unheard(config: Path | None) -> Settings:
    """The settings for a command that listens nowhere: it works beside a server that was started with `--insecure`."""
    return _settings(config, insecure=True)


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
    member: Annotated[Path | None, typer.Option("--member", hidden=True)] = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: calls in flight finish, streams end with where to resume.

    Ports 9090 (gRPC), 8080 (HTTP), 9091 (metrics) of loopback; data in ./data/registry.db unless set otherwise. With `server.workers` above 1
    so many processes serve; SIGUSR2 has each replaced by a new one, without a pause.
    """
    settings = _settings(config, insecure=insecure)

    def again() -> Settings:
        return load(config, insecure=insecure)

    if member is not None:  # started by a supervisor
        from .app import serve_as  # slow to import: only for this command

        code = serve_as(member, settings, again)
    elif settings.server.workers > 1:
        from .supervisor.supervising import supervise

        arguments = [*([] if config is None else ["--config", str(config)]), *(["--insecure"] * insecure)]
        code = supervise(settings, arguments, ready_file, again)
    else:
        from .app import serve as run  # slow to import: only for this command

        code = run(settings, ready_file, again)
    if code:
        raise typer.Exit(code)


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the storage to the schema that this version needs, and stop. `serve` does it too for embedded storage."""
    from .maintenance import migrate as run

    code = run(_unheard(config))
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
    settings = _unheard(config)
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

    code = run(_unheard(config), RetentionPolicy(age, keep), dry_run=dry_run, ignore_cursors=ignore_cursors)
    if code:
        raise typer.Exit(code)


@app.command("create-key")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is called in lists and records.")],
    role: Annotated[
        list[str],
        typer.Option(help="A role, such as admin or reader; with @SCOPE for some subjects. Repeatable."),
    ],
    config: ConfigFile = None,
    expires_in: Annotated[
        str | None,
        typer.Option(help="Let it end after this: 12h, 90d. Else it does not.", show_default=False),
    ] = None,
) -> None:
    """Make an API key in the storage, without asking a server: the first one, with which the others are made. Prints it as JSON, with
    its secret, which is shown here and nowhere else. May run beside servers, which take it at once.

    create-key --name admin --role admin; create-key --name orders --role "developer@orders.*"
    """
    age = None if expires_in is None else _duration(expires_in)
    if age is not None and not age:
        _fail(f"--expires-in {expires_in}: must be a number above 0 with s, m, h or d", 2)
    from .errors import InvalidRequest
    from .maintenance import create_key as run
    from .model.grant import RoleGrant
    from .model.scope import Scope

    try:
        parts = [given.partition("@") for given in role]
        grants = [RoleGrant(name, Scope.parse(scope, "--role")) for name, _, scope in parts]
    except InvalidRequest as error:
        _fail(error.message, 2)
    code = run(_unheard(config), name, grants, age)
    if code:
        raise typer.Exit(code)


@app.command("encrypt-secret")
def encrypt_secret() -> None:
    """Read a secret, from a terminal or else as one line of the standard input, and print what may stand in its place in the settings
    (`encrypted:...`). The key is the base64 of 32 bytes in SCHEMA_REGISTRY_SETTINGS_KEY, or in the file that
    SCHEMA_REGISTRY_SETTINGS_KEY_FILE names; the server needs the same."""
    from .settings.given_secrets import GivenSecretError, encrypt

    if sys.stdin.isatty():
        secret = typer.prompt("Secret", hide_input=True, err=True)
    else:
        secret = sys.stdin.readline(70_000).rstrip("\r\n")
    try:
        print(encrypt(secret, os.environ))
    except GivenSecretError as error:
        _fail(str(error), 2)


@app.command("hash-password")
def hash_password() -> None:
    """Read a password, twice from a terminal or else as one line of the standard input, and print the hash for `password_hash` of a
    user (auth.passwords)."""
    from .auth.passwords import UsersError
    from .auth.passwords import hash_password as hashed

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline(10_000).rstrip("\r\n")
    try:
        print(hashed(password))
    except UsersError as error:
        _fail(str(error), 2)


@app.command("rotate-keys")
def rotate_keys(
    config: ConfigFile = None,
    decrypt: Annotated[
        bool,
        typer.Option("--decrypt", help="Store all contents without encryption, before it is turned off."),
    ] = False,
) -> None:
    """Wrap the data keys of all contents with the newest key (encryption.keys, keys_file or Vault's newest version), and encrypt what is
    not encrypted yet. May run beside servers that know both keys, and again where it was interrupted: what is done is skipped. Tells its
    progress on stderr, and prints the totals as JSON; then older keys are needed for backups only.
    """
    from .maintenance import rotate_keys as run

    code = run(_unheard(config), decrypted=decrypt)
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

    code = run(_unheard(config), apply=apply)
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

    code = run(_unheard(config), archive)
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

    code = run(_unheard(config), archive)
    if code:
        raise typer.Exit(code)


audit = typer.Typer(
    help="The audit log in the storage, without asking a server (docs/audit.md).", no_args_is_help=True
)
app.add_typer(audit, name="audit")


@audit.command("key")
def audit_key(config: ConfigFile = None) -> None:
    """Print the public key that verifies checkpoints and verdicts. Give it to those who verify, by a way that you trust."""
    from .audit_maintenance import show_key as run

    _exit(run(_unheard(config)))


@audit.command("checkpoint")
def audit_checkpoint(config: ConfigFile = None) -> None:
    """Print the newest checkpoint: what the log is now, signed. Keep it where nobody can alter it."""
    from .audit_maintenance import show_checkpoint as run

    _exit(run(_unheard(config)))


@audit.command("export")
def audit_export(
    file: Annotated[Path, typer.Argument(help="The file to make, of JSON lines.")], config: ConfigFile = None
) -> None:
    """Write the audit log, with its checkpoints, into a file that can be verified elsewhere."""
    from .audit_maintenance import export_audit as run

    _exit(run(_unheard(config), file))


@audit.command("verify")
def audit_verify(
    config: ConfigFile = None,
    key: Annotated[
        str,
        typer.Option(
            "--public-key",
            help="The public key, as `audit key` printed it once, or a file with it; else that of the settings or the database.",
        ),
    ] = "",
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A file with a checkpoint that was kept elsewhere. Repeatable.")
    ] = None,
) -> None:
    """Compare every entry of the audit log with its hashes, and these with what was signed: names what was altered, removed, moved or cut
    off, one finding a line (on stderr), and prints the totals as JSON. Exit code 3 when it finds something.
    May run beside servers.
    """
    from .audit_maintenance import verify_audit as run

    _exit(run(_unheard(config), key, checkpoint or []))


def _exit(code: int) -> None:
    if code:
        raise typer.Exit(code)


def _duration(text: str) -> timedelta:
    """`90m` as a duration; zero for text that is no duration."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    return timedelta(seconds=int(match[1]) * UNITS[match[2]]) if match else timedelta()


@app.command()
def health(
    config: ConfigFile = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds for the answer.")] = 4.0,
) -> None:
    """Ask the server that runs here with these settings whether it is ready (its /health/ready), and print the answer as JSON. Exit
    code 1 when it is not, or does not answer: for the health check of a container, and for scripts.
    """
    from .own_health import own_health as run

    code = run(_unheard(config), seconds=timeout)
    if code:
        raise typer.Exit(code)


@app.command("check-settings")
def check_settings(config: ConfigFile = None) -> None:
    """Print the settings in force as JSON, secrets masked; exit code 2 when they cannot be used."""
    print(json.dumps(_settings(config).model_dump(mode="json"), indent=2))


def main() -> None:
    app()
