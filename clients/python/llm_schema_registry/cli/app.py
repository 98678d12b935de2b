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
from .commands import checks, importing, lifecycle, schemas, server, statistics
from .exits import MEANINGS, Exit, exit_code, explain
from .output import Format, Output
from .session import SERVER_VARIABLE, TOKEN_VARIABLE, Session, current

PROGRAM = "schema-registry"
COMPLETION_VARIABLE = "_SCHEMA_REGISTRY_COMPLETE"
DEBUG_VARIABLE = "SCHEMA_REGISTRY_DEBUG"

_HELP = """Talk to an LLM Schema Registry.

Examples:

\b
  schema-registry health
  schema-registry register orders order.json
  schema-registry check orders order.json && echo compatible
  schema-registry validate orders data.json -o json
  schema-registry --server registry.example:9090 list

The global options may stand before or after the command.

Exit codes:

\b
""" + "\n".join(f"  {code.value:<3}  {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name=PROGRAM,
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _module in (schemas, checks, lifecycle, importing, server, statistics):
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
        str,
        typer.Option("--server", "-S", envvar=SERVER_VARIABLE, help="host:port, or https://host:port."),
    ] = DEFAULT_TARGET,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar=TOKEN_VARIABLE, help="Bearer token; safer in the variable than here."),
    ] = None,
    output: Annotated[
        Format,
        typer.Option("--output", "-o", envvar="SCHEMA_REGISTRY_OUTPUT", help="How results are written."),
    ] = Format.TABLE,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=0.001, metavar="SECONDS", help="Deadline of each call, retries included."
        ),
    ] = DEFAULT_TIMEOUT,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; NO_COLOR in the environment does the same.")
    ] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the global options. Its documentation is `_HELP`, put together with the table of exit codes."""
    color = not no_color and not os.environ.get("NO_COLOR")
    context.obj = found = Session(where, token, timeout, Output(output, color=color))
    current.set(found)
    if not color:
        context.color = False


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code. Failures are told on the standard error."""
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
        _tell_usage(error)
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
        told = current.get()
        told.output.failure(error, explain(error, told.server))
        return exit_code(error)
    except (FileNotFoundError, IsADirectoryError, PermissionError, NotADirectoryError) as error:
        sys.stderr.write(f"error: {error.filename}: {error.strerror}\n")
        return Exit.NOT_FOUND
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return Exit.USAGE
    return Exit.OK


def _tell_usage(error: typer.TyperException) -> None:
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
    """What is said of a fault of this program itself: one line, and the whole story to who asks for it."""
    if os.environ.get(DEBUG_VARIABLE):
        sys.__excepthook__(kind, error, trace)
    else:
        sys.stderr.write(
            f"error: {PROGRAM} failed: {kind.__name__}: {error}\n"
            f"hint: please report it; {DEBUG_VARIABLE}=1 shows where it happened\n"
        )
    raise SystemExit(Exit.INTERNAL)  # what the interpreter ends with when its hook raises it
