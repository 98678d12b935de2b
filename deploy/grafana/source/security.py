"""Security: who is refused and why, limits, TLS, and the audit log."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, bars, graph, number
from .queries import grown, largest, of, or_zero, per_second, total

NOBODY, DENIED, LIMITED = 'code="UNAUTHENTICATED"', 'code="PERMISSION_DENIED"', 'code="RESOURCE_EXHAUSTED"'
REFUSED = 'code=~"UNAUTHENTICATED|PERMISSION_DENIED|RESOURCE_EXHAUSTED"'
BAD_HANDSHAKE = 'outcome!="ok"'
DAYS = 86400

BOARD = Board(
    "security",
    "Schema registry: security",
    "Calls without valid credentials, without permission, over a limit; TLS; the audit log. Who it was stands in the audit log, not here.",
    (
        Row(
            "Now",
            (
                number(
                    "Unauthenticated",
                    "Calls without valid credentials.",
                    "reqps",
                    or_zero(per_second(f.CALLS, NOBODY)),
                    alerts=("AuthenticationFailures",),
                    thresholds=(("orange", 0.1), ("red", 1)),
                ),
                number(
                    "Denied",
                    "Calls for what their callers may not do.",
                    "reqps",
                    or_zero(per_second(f.CALLS, DENIED)),
                    alerts=("PermissionsDenied",),
                    thresholds=(("orange", 1),),
                ),
                number(
                    "Over a limit",
                    "Calls over a rate limit, a quota, or refused by a queue.",
                    "reqps",
                    or_zero(per_second(f.CALLS, LIMITED)),
                    alerts=("LimitsHit",),
                    thresholds=(("orange", 1), ("red", 10)),
                ),
                number(
                    "Certificate",
                    "Until the first of the servers' certificates expires. Only with TLS.",
                    "s",
                    f"min({of(f.TLS_EXPIRES)}) - time()",
                    thresholds=(("red", 7 * DAYS), ("orange", 30 * DAYS)),
                    low=True,
                ),
                number(
                    "Audit log waits",
                    "For how long entries have waited for a signed checkpoint. Only with `audit.enabled`.",
                    "s",
                    f"min({of(f.AUDIT_UNSEQUENCED)})",
                    alerts=("AuditNotSequenced",),
                    thresholds=(("orange", 10), ("red", 60)),
                ),
                number(
                    "Audit records lost",
                    "Refused calls that are not in the audit log, in the time shown.",
                    "none",
                    or_zero(grown(f.AUDIT_LOST)),
                    alerts=("AuditRecordsLost",),
                    thresholds=(("red", 1),),
                ),
            ),
        ),
        Row(
            "Refused calls",
            (
                graph(
                    "By reason",
                    "UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, REFUSED, by="code")), "{{code}}"),
                    alerts=("AuthenticationFailures", "PermissionsDenied", "LimitsHit"),
                    stacked=True,
                ),
                graph(
                    "By server",
                    "Whether one server alone is meant.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, REFUSED, by="instance, code")), "{{instance}} {{code}}"),
                ),
                graph(
                    "Unauthenticated by RPC",
                    "Which calls are tried without valid credentials.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, NOBODY, by="method, wire")), "{{method}} {{wire}}"),
                    alerts=("AuthenticationFailures",),
                    width=8,
                ),
                graph(
                    "Denied by RPC",
                    "Which calls are tried without permission.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, DENIED, by="method, wire")), "{{method}} {{wire}}"),
                    alerts=("PermissionsDenied",),
                    width=8,
                ),
                graph(
                    "Over a limit by RPC",
                    "Rate limits, quotas, queues.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, LIMITED, by="method, wire")), "{{method}} {{wire}}"),
                    alerts=("LimitsHit",),
                    width=8,
                ),
                graph(
                    "Refused by queues",
                    "The part of them that would have waited in vain, by queue and why.",
                    "reqps",
                    (per_second(f.QUEUE_REFUSED, by="queue, why"), "{{queue}} {{why}}"),
                    alerts=("QueueRefuses",),
                ),
                bars(
                    "Refused, time shown",
                    "By RPC and code.",
                    "none",
                    (or_zero(grown(f.CALLS, REFUSED, by="method, code")), "{{method}} {{code}}"),
                ),
                graph(
                    "HTTP 401, 403, 429",
                    "Refused requests by route.",
                    "reqps",
                    (
                        or_zero(
                            per_second(
                                f.HTTP_DURATION,
                                'http_response_status_code=~"401|403|429"',
                                by="http_response_status_code, http_route",
                            )
                        ),
                        "{{http_response_status_code}} {{http_route}}",
                    ),
                ),
                graph(
                    "Streams cut",
                    "Streams that were ended because their callers left too much unread.",
                    "ops",
                    (per_second(f.UNREAD_STREAMS_ENDED, by="instance"), "{{instance}}"),
                    alerts=("SlowReaders",),
                ),
            ),
        ),
        Row(
            "TLS (only with the setting tls)",
            (
                graph(
                    "Handshakes",
                    "By how they ended.",
                    "ops",
                    (
                        or_zero(per_second(f.TLS_HANDSHAKES, by="listener, outcome")),
                        "{{listener}}: {{outcome}}",
                    ),
                ),
                graph(
                    "Failed handshakes",
                    "Strangers, expired or revoked certificates, probes.",
                    "ops",
                    (or_zero(per_second(f.TLS_HANDSHAKES, BAD_HANDSHAKE, by="outcome")), "{{outcome}}"),
                ),
                graph(
                    "Connections",
                    "Open ones, by listener.",
                    "none",
                    (or_zero(total(f.TLS_CONNECTIONS, by="listener")), "{{listener}}"),
                ),
                graph(
                    "Certificates",
                    "Until they expire, by server and listener.",
                    "s",
                    (f"{of(f.TLS_EXPIRES)} - time()", "{{instance}} {{listener}}"),
                ),
            ),
        ),
        Row(
            "Audit log (only with audit.enabled)",
            (
                graph(
                    "Entries",
                    "That were given their places, by outcome.",
                    "ops",
                    (or_zero(per_second(f.AUDIT_ENTRIES, by="outcome")), "{{outcome}}"),
                    stacked=True,
                ),
                graph(
                    "Denied and failed by event",
                    "What was tried.",
                    "ops",
                    (
                        or_zero(per_second(f.AUDIT_ENTRIES, 'outcome!="ALLOWED"', by="event, outcome")),
                        "{{event}} {{outcome}}",
                    ),
                ),
                bars(
                    "Events, time shown",
                    "What was done or tried.",
                    "none",
                    (or_zero(grown(f.AUDIT_ENTRIES, by="event")), "{{event}}"),
                ),
                graph(
                    "Waiting to be written",
                    "Records of refused and failed calls in memory.",
                    "none",
                    (of(f.AUDIT_WAITING), "{{instance}}"),
                    alerts=("AuditRecordsLost",),
                ),
                graph(
                    "Lost",
                    "Records that did not fit into the memory.",
                    "ops",
                    (per_second(f.AUDIT_LOST, by="instance"), "{{instance}}"),
                    alerts=("AuditRecordsLost",),
                ),
                graph(
                    "Failures",
                    "Of writing records or giving entries their places.",
                    "ops",
                    (per_second(f.AUDIT_FAILURES, by="instance"), "{{instance}}"),
                    alerts=("AuditNotSequenced",),
                ),
                graph(
                    "Unsigned",
                    "For how long entries have waited while no checkpoint was signed.",
                    "s",
                    (of(f.AUDIT_UNSEQUENCED), "{{instance}}"),
                    alerts=("AuditNotSequenced",),
                    thresholds=(("red", 60),),
                ),
                number(
                    "Size", "Entries under the newest checkpoint.", "none", largest(f.AUDIT_SIZE), width=6
                ),
                number(
                    "Newest checkpoint",
                    "Since it was signed.",
                    "s",
                    f"time() - {largest(f.AUDIT_CHECKPOINT_AT)}",
                    width=6,
                ),
            ),
        ),
    ),
    ("security",),
)
