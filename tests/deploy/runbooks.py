"""The pages of docs/runbooks as the tests read them: sections, blocks of commands, the names in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
SECTIONS = (
    "Overview",
    "Severity",
    "Prerequisites",
    "Detection",
    "Investigation",
    "Mitigation",
    "Verification",
    "Communication",
    "Escalation",
    "Post-incident",
)
RUN, READ = "sh", "console"
"""The languages of blocks that are run, and of those that act on a machine or a cluster and are only read."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ENDS = frozenset({";", "&", "&&", "|", "||", "(", ")", "\n"})
_REDIRECTIONS = frozenset({"<", ">", ">>"})


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a page. section: under which heading they stand."""

    language: str
    commands: str
    section: str


@dataclass(frozen=True, slots=True)
class Page:
    """One runbook. sections: text by heading, in their order."""

    name: str
    text: str
    sections: Mapping[str, str]

    @property
    def blocks(self) -> list[Block]:
        return [
            Block(language, commands, section)
            for section, text in self.sections.items()
            for language, commands in _BLOCK.findall(text)
        ]

    @property
    def prose(self) -> str:
        """The page without its blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """What stands in backticks in the prose."""
        return re.findall(r"`([^`\n]+)`", self.prose)


def page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    # A comment in a block begins like a heading, but with one #.
    _, *rest = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return Page(path.stem, text, dict(zip(rest[::2], rest[1::2], strict=True)))


PAGES = [page(path) for path in sorted(FOLDER.glob("*.md")) if path != INDEX]


def alerts() -> dict[str, dict[str, str]]:
    """The annotations of each alert, with its expression as `expr`."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules/alerts.yaml").read_text())["groups"]
    return {
        rule["alert"]: {**rule["annotations"], "expr": rule["expr"]}
        for group in groups
        for rule in group["rules"]
    }


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a piece of shell, as words: without assignments before them and redirections."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, "#"
    words: list[str] = []
    skip = False
    for token in [*lexer, ";"]:
        if skip:
            skip = False
        elif token in _REDIRECTIONS:
            skip = True
        elif token in _ENDS or set(token) <= {"\n", ")", "(", ";"}:
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(token)


def anchors(text: str) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    headings = re.findall(r"^#{1,6} (.+)$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
