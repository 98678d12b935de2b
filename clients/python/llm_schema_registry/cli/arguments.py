"""Lets global options stand after the command, where people write them."""

from __future__ import annotations

from collections.abc import Sequence

WITH_VALUE = (
    "--server",
    "-S",
    "--token",
    "--ca",
    "--cert",
    "--key",
    "--output",
    "-o",
    "--timeout",
    "--profile",
)
FLAGS = ("--no-color",)


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options moved to the front. Nothing behind `--` is touched, and nothing behind
    `profile set`, whose options have the same names and mean the profile.

    The one-letter options take their value as the next argument or glued on (`-ojson`), the long ones as the next
    argument or after `=`.
    """
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--" or (argument == "set" and rest == ["profile"]):
            rest += [argument, *queue]
            break
        if argument in WITH_VALUE and queue:
            front += [argument, queue.pop(0)]
        elif argument in FLAGS or _carries_value(argument):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


def _carries_value(argument: str) -> bool:
    return any(
        argument.startswith(f"{name}=" if name.startswith("--") else name) and argument != name
        for name in WITH_VALUE
    )
