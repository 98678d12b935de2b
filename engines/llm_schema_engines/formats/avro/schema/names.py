"""Names and namespaces (Avro 1.12, "Names"). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .nodes import PRIMITIVE_NAMES


def is_name(name: str) -> bool:
    """[A-Za-z_][A-Za-z0-9_]*, which is what Python takes for an identifier in ASCII."""
    return name.isidentifier() and name.isascii()


def is_dotted_name(name: str) -> bool:
    return all(map(is_name, name.split(".")))


def full_name(name: str, namespace: str) -> str:
    """A name with a dot is full already; another one belongs to the namespace around it."""
    return f"{namespace}.{name}" if namespace and "." not in name else name


def namespace_of(name: str) -> str:
    return name.rpartition(".")[0]


def fault(name: str, longest: int, *, dotted: bool) -> str:
    """What is wrong with a name, as the end of a sentence; "" when nothing is."""
    if len(name) > longest:
        return f"is {len(name)} characters long; the limit is {longest} (setting avro.name_length)"
    if not (is_dotted_name(name) if dotted else is_name(name)):
        return "must start with a letter or _ and go on with letters, digits and _ (ASCII)" + (
            "; dots join such names" if dotted else ""
        )
    return ""


def is_primitive(name: str) -> bool:
    return name.rpartition(".")[2] in PRIMITIVE_NAMES


def similar(name: str, known: Mapping[str, object]) -> str:
    """A known full name with the same unqualified name, to help with a wrong namespace; "" when there is none."""
    short = name.rpartition(".")[2]
    return next((other for other in known if other.rpartition(".")[2] == short and other != name), "")
