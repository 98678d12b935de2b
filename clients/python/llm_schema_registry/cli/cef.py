"""Entries of the audit log in the Common Event Format (ArcSight CEF, version 0), which SIEM systems read. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..audit import AuditEvent
from ..enums import AuditSeverity

SEVERITIES: Mapping[AuditSeverity, int] = {
    AuditSeverity.INFO: 3,
    AuditSeverity.WARNING: 5,
    AuditSeverity.IMPORTANT: 7,
    AuditSeverity.CRITICAL: 10,
}
"""From 0 to 10, as CEF wants them."""


def cef(event: AuditEvent, version: str) -> str:
    """One line, without its line break. version: of the product."""
    name = event.type.name.replace("_", " ").capitalize()
    heads = ("LLM Schema Registry", "schema-registry", version, event.type.name, name)
    severity = SEVERITIES.get(event.severity, 5)
    extension = " ".join(f"{key}={_value(value)}" for key, value in _extension(event) if value != "")
    return f"CEF:0|{'|'.join(map(_head, heads))}|{severity}|{extension}"


def _extension(event: AuditEvent) -> list[tuple[str, str]]:
    address = "c6a2" if ":" in event.address else "src"
    resources = [f"{r.kind}:{r.name}" for r in event.resources]
    if event.more_resources:
        resources.append(f"and {event.more_resources} more")
    labelled = [
        ("cs1", "resources", ", ".join(resources)),
        ("cs2", "requestId", event.request_id),
        ("cs3", "credential", event.credential),
        ("cs4", "permission", event.permission),
        ("cs5", "code", event.code),
        ("cs6", "facts", ", ".join(f"{name}={value}" for name, value in sorted(event.facts.items()))),
        ("cn1", "position", str(event.position)),
        ("cn2", "change", str(event.change or "")),
    ]
    pairs = [
        ("rt", "" if event.at is None else str(round(event.at.timestamp() * 1000))),
        ("externalId", event.id),
        ("suser", event.principal),
        ("spriv", event.kind),
        (address, event.address),
        ("c6a2Label", "Source IPv6 Address" if address == "c6a2" else ""),
        ("app", event.wire),
        ("act", event.operation),
        ("outcome", event.outcome.name),
        ("reason", event.reason),
        ("cnt", str(event.count) if event.count > 1 else ""),
        ("requestClientApplication", event.user_agent),
    ]
    for key, label, value in labelled:
        pairs += [(key, value), (f"{key}Label", label if value else "")]
    return pairs


def _head(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("\r", " ")


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace("=", "\\=").replace("\r", "\\r").replace("\n", "\\n")
