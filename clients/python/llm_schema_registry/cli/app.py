"""The command `schema-registry`: its global options, its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Annotated, NoReturn

import typer
from typer.main import get_command

from .._options import DEFAULT_TARGET, DEFAULT_TIMEOUT
from ..errors import RegistryError
from .arguments import hoisted
from .commands import (
    access,
    answers,
    audit,
    checks,
    comparing,
    conformance,
    credentials,
    fixing,
    importing,
    lifecycle,
    linting,
    login,
    mcp,
    profiles,
    providers,
    pulling,
    schemas,
    server,
    statistics,
)
from .exits import Exit, exit_code, explain
from .help import Commands, Program
from .output import Format, Output
from .profiles import Profile, exposed
from .session import (
    CA_VARIABLE,
    CERT_VARIABLE,
    CONTEXT_VARIABLE,
    KEY_VARIABLE,
    OUTPUT_VARIABLE,
    PROFILE_VARIABLE,
    SERVER_VARIABLE,
    TIMEOUT_VARIABLE,
    TOKEN_VARIABLE,
    Session,
    chosen_profile,
    chosen_tls,
    current,
    is_for,
    token_of,
)
from .text import doubtful

PROGRAM = "schema-registry"
COMPLETION_VARIABLE = "_SCHEMA_REGISTRY_COMPLETE"
DEBUG_VARIABLE = "SCHEMA_REGISTRY_DEBUG"

_HELP = """Talk to an LLM Schema Registry.

Examples:

\b
  schema-registry health
  schema-registry register orders order.json
  schema-registry check orders order.json && echo fine
  schema-registry check order.json --git main
  schema-registry -S registry.example:9090 list

check, fix, diff, validate, judge, reask, coerce, convert, lint and provider work on files without a server too.
The options below may stand before or after the command.
"""

app = Commands(
    name=PROGRAM,
    cls=Program,
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (
    schemas,
    checks,
    answers,
    comparing,
    fixing,
    conformance,
    linting,
    providers,
    lifecycle,
    importing,
    pulling,
    server,
    statistics,
    access,
    audit,
    credentials,
    login,
    profiles,
    mcp,
):
    _module.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"{PROGRAM} {version('llm-schema-registry')}")
        except PackageNotFoundError:
            typer.echo(f"{PROGRAM} (not installed)")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    where: Annotated[
        str | None,
        typer.Option(
            "--server",
            "-S",
            envvar=SERVER_VARIABLE,
            metavar="HOST:PORT",
            help=f"Or https://HOST:PORT; {DEFAULT_TARGET} when nothing says another.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            envvar=PROFILE_VARIABLE,
            metavar="NAME",
            help="A profile of the configuration file.",
            autocompletion=profiles.complete_profile,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar=TOKEN_VARIABLE,
            metavar="TOKEN",
            help="Bearer token; safer in the variable than here.",
        ),
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(
            "--ca",
            envvar=CA_VARIABLE,
            metavar="FILE",
            help="Authorities of TLS to trust, instead of the system's.",
        ),
    ] = None,
    cert: Annotated[
        str | None,
        typer.Option(
            "--cert", envvar=CERT_VARIABLE, metavar="FILE", help="Our certificate, for servers that ask."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", envvar=KEY_VARIABLE, metavar="FILE", help="The key of our certificate."),
    ] = None,
    output: Annotated[
        Format | None,
        typer.Option("--output", "-o", envvar=OUTPUT_VARIABLE, help="How results are written."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            envvar=TIMEOUT_VARIABLE,
            min=0.001,
            metavar="SECONDS",
            help=f"Deadline of each call, retries included; {DEFAULT_TIMEOUT:g}. Given, a server that is not there yet "
            "is waited for.",
        ),
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, as NO_COLOR does.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the global options: an option counts before its variable, that before the profile, that before the default."""
    color = not no_color and not os.environ.get("NO_COLOR")
    if not color:
        context.color = False
    # What comes next may fail, and that is told in the form that is known so far.
    current.set(Session("", None, 0.0, Output(output or Format.TABLE, color=color)))
    chosen = Profile()
    name = profile or ""
    if context.invoked_subcommand not in ("profile", "login", "logout"):
        source = context.get_parameter_source("profile")
        given = source is not None and source.name == "COMMANDLINE"
        chosen, file = chosen_profile(profile, "--profile" if given else PROFILE_VARIABLE)
        name = name or file.default
        if exposed(file):
            current.get().output.note(
                doubtful(f"warning: others can read the tokens in {file.path}; chmod 600 it")
            )
    target = where or chosen.server or DEFAULT_TARGET
    kept = token_of(name, chosen)
    if kept and not token and not profile and not is_for(chosen, target):
        kept = None  # the profile that happens to be in use: its token is for another server
        note = f"the token of profile {name} is for {chosen.server} and not shown to {target}; --profile {name} shows it"
        current.get().output.note(doubtful(note))
    context.obj = found = Session(
        server=target,
        token=token or kept,
        timeout=timeout or chosen.timeout or DEFAULT_TIMEOUT,
        output=Output(output or chosen.output or Format.TABLE, color=color),
        context=os.environ.get(CONTEXT_VARIABLE) or chosen.context or "",
        tls=chosen_tls((ca, cert, key), chosen, target) if context.invoked_subcommand != "profile" else None,
        patient=(timeout or chosen.timeout) is not None,
        profile=name,
        server_given=where is not None,
    )
    current.set(found)


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code. Failures are printed on the standard error."""
    given = hoisted(arguments)
    command = get_command(app)
    if os.environ.get(COMPLETION_VARIABLE):
        command.main(args=given, prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE)
    try:
        # Not command.main(): it draws boxes around messages, which scripts and grep cannot read, and ends with 1 when
        # the reader of the output is gone, which here would mean a negative answer.
        with command.make_context(PROGRAM, given) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        _print_usage_error(error)
        return Exit.USAGE
    except (typer.Abort, EOFError):
        return Exit.NEGATIVE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and must find a reader then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.READER_GONE
    except RegistryError as error:
        session = current.get()
        session.output.failure(error, explain(error, session.server))
        return exit_code(error)
    except (FileNotFoundError, IsADirectoryError, PermissionError, NotADirectoryError) as error:
        sys.stderr.write(f"error: {error.filename}: {error.strerror}\n")
        if str(error.filename).lstrip()[:1] in ("{", "["):
            sys.stderr.write(
                "hint: a schema or data is given as a file; `-` reads it from the standard input\n"
            )
        return Exit.NOT_FOUND
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return Exit.USAGE
    return Exit.OK


def _print_usage_error(error: typer.TyperException) -> None:
    """What is wrong with the command, and where its help is."""
    context: typer.Context | None = getattr(error, "ctx", None)
    message = error.format_message()
    if not message:  # no arguments at all: typer has shown the help instead
        return
    sys.stderr.write(f"error: {message}\n")
    if context is not None:
        sys.stderr.write(f"hint: {context.command_path} --help shows what it takes\n")


def main() -> NoReturn:
    """The entry point of `schema-registry`."""
    sys.excepthook = _fault
    sys.exit(run(sys.argv[1:]))


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What is printed for a fault of this program itself: one line, or the traceback when the variable asks for it."""
    if os.environ.get(DEBUG_VARIABLE):
        sys.__excepthook__(kind, error, trace)
    else:
        sys.stderr.write(
            f"error: {PROGRAM} failed: {kind.__name__}: {error}\n"
            f"hint: please report it; {DEBUG_VARIABLE}=1 shows where it happened\n"
        )
    raise SystemExit(Exit.INTERNAL)  # what the interpreter ends with when its hook raises it
