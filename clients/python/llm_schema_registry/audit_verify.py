"""Verifies an export of the audit log without any server: needs the export, the public key, and the package cryptography.

    python -m llm_schema_registry.audit_verify EXPORT --public-key KEY [--checkpoint FILE]...

It is written from docs/audit.md alone and shares no code with the server. Finds entries that were altered, removed, moved or cut
off, and says where. Without a checkpoint that was kept elsewhere, an export that ends early looks like a log that ended there.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable
from typing import Any


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _root(stack: list[tuple[int, bytes]]) -> bytes:
    """The root of a tree whose perfect subtrees are these (height, hash), the largest first."""
    if not stack:
        return hashlib.sha256(b"").digest()
    found = stack[-1][1]
    for _, left in reversed(stack[:-1]):
        found = _node(left, found)
    return found


def open_note(note: str, key: str) -> str:
    """The text that a note signs (C2SP signed-note, Ed25519). Raises ValueError unless this key has signed it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, _, rest = key.strip().partition("+")
    raw = base64.b64decode(rest.partition("+")[2], validate=True)
    mark = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if raw[:1] != b"\1" or len(raw) != 33 or rest.partition("+")[0] != mark.hex():
        raise ValueError("the key is no Ed25519 key as signed notes write it")
    text, gap, lines = note.rpartition("\n\n")
    for line in lines.splitlines() if gap else ():
        dash, signer, encoded = ([*line.split(" "), "", ""])[:3]
        signature = base64.b64decode(encoded) if (dash, signer) == ("\u2014", name) else b""
        if signature[:4] == mark:
            try:
                Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise ValueError("the signature is wrong") from None
            return text + "\n"
    raise ValueError("this key has not signed it")


def _checkpoint(note: str, key: str, origin: str) -> tuple[int, bytes]:
    lines = open_note(note, key).split("\n")
    if lines[0] != origin:
        raise ValueError(f"it is of another log: {lines[0]}")
    return int(lines[1]), base64.b64decode(lines[2], validate=True)


class Verifier:
    """Reads an export line by line. `first` and `place` are the positions between which entries were read; `findings` what is wrong."""

    def __init__(self, key: str, kept: Iterable[str] = ()) -> None:
        self.findings: list[str] = []
        self.first = self.place = 0
        self._key, self._kept, self._wanted = key, list(kept), dict[int, bytes]()
        self._stack: list[tuple[int, bytes]] = []
        self._roots: dict[int, bytes] = {}
        self._known = self._covered = 0  # the sizes of the last checkpoint that matches, and of the last one
        self._sound = True

    def verify(self, lines: Iterable[str]) -> list[str]:
        """What is wrong with an export; nothing when all is well."""
        begun = False
        for number, line in enumerate(lines, 1):
            try:
                item = json.loads(line)
                if _canonical(item) != line.rstrip("\n"):
                    self._say(f"line {number} is not in its canonical form")
                (self._item if begun else self._head)(item, f"line {number}")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self._say(f"line {number} cannot be read: {error!r}")
            begun = True
        if self._covered < self.place or not begun:
            self._say(f"positions {self._covered} to {self.place - 1}: no checkpoint covers them")
        for size, root in sorted(self._wanted.items()):
            if size > self.place:
                self._say(
                    f"positions {self.place} to {size - 1}: they were cut off, or came after the export"
                )
            elif size < self.first:
                self._say(f"the export begins behind the checkpoint of size {size}: it cannot be compared")
            elif self._roots.get(size) != root:
                self._say(f"the log up to position {size - 1} is not the one of the checkpoint that was kept")
        return self.findings

    def _head(self, head: Any, _where: str) -> None:
        if head["format"] != "llm-schema-registry/audit-export/1":
            raise ValueError("this is no export of an audit log")
        self._origin, size = head["origin"], int(head["first"])
        self._wanted = dict(_checkpoint(note, self._key, self._origin) for note in self._kept)
        heights = [height for height in range(size.bit_length() - 1, -1, -1) if size >> height & 1]
        self._stack = list(zip(heights, map(bytes.fromhex, head["frontier"]), strict=True))
        self.first = self.place = self._known = size
        self._roots[size] = _root(self._stack)

    def _item(self, item: Any, where: str) -> None:
        if "checkpoint" in item:
            size, root = _checkpoint(item["checkpoint"], self._key, self._origin)
            self._covered = max(self._covered, size)
            if (size, root) == (self.place, _root(self._stack)):
                self._known = size
            elif self._sound:
                self._sound = False
                self._say(f"positions {self._known} to {size - 1}: entries were altered, moved or removed")
            return
        if item["position"] != self.place:
            self._say(f"{where}: position {item['position']} stands where position {self.place} should be")
        self.place, height = int(item["position"]) + 1, 0
        leaf = hashlib.sha256(b"\0" + _canonical(item["entry"]).encode()).digest()
        if leaf.hex() != item["leaf"]:
            self._say(f"position {item['position']}: the entry is not the one that was logged")
        while self._stack and self._stack[-1][0] == height:
            leaf, height = _node(self._stack.pop()[1], leaf), height + 1
        self._stack.append((height, leaf))
        if self.place in self._wanted:
            self._roots[self.place] = _root(self._stack)

    def _say(self, finding: str) -> None:
        self.findings.append(finding)


def main() -> None:
    """Exit code 0 when all is well, 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="audit_verify", description=str(__doc__).splitlines()[0])
    parser.add_argument("export", help="a file of JSON lines")
    parser.add_argument("--public-key", required=True, help="the public key, or a file with it")
    parser.add_argument(
        "--checkpoint", action="append", default=[], help="a file with a checkpoint that was kept"
    )
    given = parser.parse_args()
    key = given.public_key
    if key.count("+") < 2:
        with open(key, encoding="utf-8") as file:
            key = file.read()
    kept = []
    for name in given.checkpoint:
        with open(name, encoding="utf-8") as file:
            kept.append(file.read())
    verifier = Verifier(key, kept)
    with open(given.export, encoding="utf-8", errors="surrogateescape") as file:
        for finding in verifier.verify(file):
            print(finding)
    seen = f"positions {verifier.first} to {verifier.place - 1}"
    print(f"{seen}: {'not what was logged' if verifier.findings else 'all is well'}", file=sys.stderr)
    raise SystemExit(bool(verifier.findings))


if __name__ == "__main__":
    main()
