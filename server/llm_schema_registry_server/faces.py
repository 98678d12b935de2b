"""The faces of a server, made over its use cases: which operations there are, who may call them, and where they listen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import chain, product

from . import __version__
from .auth.granting import GrantBook
from .auth.tickets import Tickets
from .calls.guards.limits import Limits
from .calls.guards.observe import AccessLog
from .calls.guards.standard import standard_guards
from .calls.guards.trace import Trace
from .calls.peer import NO_PROXIES, TrustedProxies
from .calls.pipeline import Pipeline
from .components import Components
from .factories import make_ticket_secret
from .model.grant import ANONYMOUS
from .queues.fair_queue import FairQueue, Queues
from .registry.use_cases import UseCases
from .rpc import http, mcp, methods
from .rpc.admin import AdminService
from .rpc.answers import AnswerService
from .rpc.audit import AuditService
from .rpc.config import ConfigService
from .rpc.conformance import ConformanceService
from .rpc.convert import MessageConverter
from .rpc.fixes import FixService
from .rpc.large_answers import LargeAnswers
from .rpc.lifecycle import LifecycleService
from .rpc.many import ManySchemas
from .rpc.many_payloads import ManyPayloads
from .rpc.protobuf.rpcs import Rpcs, bind, quick_handlers
from .rpc.providers import ProviderService
from .rpc.schema_registry import SchemaRegistryService, question
from .rpc.tickets import TicketService
from .rpc.tools import ToolsService
from .settings import Settings, TracingSettings
from .settings.urls import on_loopback
from .telemetry import tracing
from .telemetry.http_requests import HttpRequests
from .telemetry.metrics import Metrics
from .transports.front.fronting import fronting
from .transports.front.listener import FrontListener
from .transports.grpc.fronted import call_bounds
from .transports.grpc.incoming import FACE as GRPC
from .transports.grpc.listener import GrpcListener
from .transports.http.asgi import API_HEADERS, SECURE_API_HEADERS
from .transports.http.dispatcher import Dispatcher, Mount
from .transports.http.grpc_hint import GrpcHint
from .transports.http.listener import HttpListener
from .transports.http.mcp import ROOT as MCP_ROOT
from .transports.http.mcp import McpFace, McpOptions
from .transports.http.options import HttpOptions
from .transports.http.probes import Probes
from .transports.http.sockets import Redeem, no_tickets
from .transports.http.twin import FACE as HTTP
from .transports.http.twin import HttpTwin
from .transports.ops import MetricsListener
from .transports.request_memory import request_memory
from .transports.servers import Servers
from .transports.unread import Unread

_HEALTH_MARGIN_SECONDS = 1.0
"""How much longer than one component all together may take, so that one that hangs is reported and does not hide the others."""


def make_servers(settings: Settings, components: Components, wire: MessageConverter) -> Servers:
    """All listeners. Raises TypeError when what is served contradicts itself."""
    rpcs = make_rpcs(settings, components, wire)
    memory = request_memory(
        components.queues,
        settings.queues.request_bytes,
        largest=max(settings.http.max_batch_bytes, settings.grpc.max_message_bytes),
    )
    health = components.use.health
    unread = Unread(
        settings.changes.stall_seconds,
        per_caller=settings.limits.unread_bytes_per_caller,
        total=settings.limits.unread_bytes,
    )
    components.metrics.read_unread(lambda: unread)
    siblings, shared = components.siblings, components.siblings is not None
    fronts = {
        "grpc": fronting(
            "grpc",
            settings.grpc.host,
            settings.grpc.port,
            settings.tls,
            settings.proxies,
            always=settings.fronts_grpc,
            shared=shared,
        ),
        "http": fronting(
            "http", settings.http.host, settings.http.port, settings.tls, settings.proxies, shared=shared
        ),
        "metrics": fronting(
            "metrics",
            settings.metrics.host,
            settings.metrics.port,
            settings.tls,
            settings.proxies,
            shared=shared,
        ),
    }
    engine = GrpcListener(
        settings.grpc.model_copy(update={"host": fronts["grpc"].host, "port": fronts["grpc"].port}),
        rpcs,
        health,
        unread=unread,
        proxies=fronts["grpc"].proxies,
        memory=memory,
        health_seconds=settings.health.interval_seconds,
        health_patience=settings.health.probe_seconds + _HEALTH_MARGIN_SECONDS,
    )
    grpc = fronts["grpc"].listener(
        engine,
        ("h2",),
        per_address=settings.grpc.connections_per_address,
        resets_per_second=settings.grpc.resets_per_second,
        incomplete_calls=settings.grpc.incomplete_calls_per_address,
        refusals_per_second=settings.grpc.refusals_per_second,
        protocol="h2",
        calls=call_bounds(settings.grpc),
    )
    hint = GrpcHint(lambda: grpc.port)
    hints = [Mount(f"/{service}", hint.http, hint) for service in engine.services]
    twin = make_twin(
        settings,
        rpcs,
        unread,
        memory,
        components.queues,
        components.metrics,
        proxies=fronts["http"].proxies,
        secure=fronts["http"].secure,
        redeem=components.tickets.redeem,
    )
    probes = Probes(health, settings.health.probe_seconds + _HEALTH_MARGIN_SECONDS)
    models = []
    if settings.mcp.enabled:
        face = make_mcp(settings, rpcs, twin)
        models = [Mount(MCP_ROOT, face.http, face, exact=True)]
    http = HttpListener(
        Dispatcher([*mounts(twin, probes), *models, *hints], fronts["http"].proxies),
        fronts["http"].host,
        fronts["http"].port,
        per_address=settings.http.connections_per_address,
        proxies=fronts["http"].proxies,
        shared=shared and not fronts["http"].there,
    )
    metrics = MetricsListener(
        components.metrics,
        fronts["metrics"].host,
        fronts["metrics"].port,
        connections=settings.metrics.connections,
        seconds=settings.metrics.timeout_seconds,
        siblings=siblings,
    )
    listeners = [
        grpc,
        fronts["http"].listener(
            http,
            ("h2", "http/1.1"),
            per_address=settings.http.connections_per_address,
            resets_per_second=settings.grpc.resets_per_second,
            incomplete_calls=settings.grpc.incomplete_calls_per_address,
            refusals_per_second=settings.grpc.refusals_per_second,
        ),
        fronts["metrics"].listener(metrics, ("http/1.1",), apart=True),
    ]
    secure = [one for one in listeners if isinstance(one, FrontListener) and one.secure]
    if secure:
        components.metrics.read_tls(lambda: secure)
    return Servers(listeners, components.end_streams)


def make_rpcs(settings: Settings, components: Components, wire: MessageConverter) -> Rpcs:
    """All RPCs with their handlers, behind the guards."""
    table = methods.load()
    guards = standard_guards(
        components.metrics,
        answered=product((m.path for m in table if m.operation.cached), (GRPC, HTTP)),
        default_deadline_seconds=settings.grpc.default_deadline_seconds,
        limits=Limits(
            calls=settings.limits.calls_in_flight,
            streams=settings.limits.streams,
            streams_per_caller=settings.limits.streams_per_caller,
        ),
        authenticator=components.authenticator,
        rates=components.rates,
        certificates=components.certificates,
        grants=components.book if settings.asks_who else None,
        reach=components.reach,
        access=AccessLog.sampled(settings.logs.access),
        trace=make_trace(settings.tracing),
        audit=None if components.audit is None else components.audit.guard,
    )
    serving = services(
        components.use,
        wire,
        components.clock,
        components.book,
        components.tickets,
        components.answers.count_read,
        settings.grpc.max_message_bytes,
    )
    pipeline = Pipeline(chain(bind(table, serving), mcp.OPERATIONS), guards, components.answers)
    return Rpcs(table, pipeline, quick_handlers(table, serving), most_items=settings.limits.request_items)


def make_trace(settings: TracingSettings) -> Trace | None:
    """The guard that makes the spans of calls; None where nothing is traced."""
    backend = tracing.backend()
    if backend is None:
        return None
    return Trace(backend, share=settings.sample_ratio, per_second=settings.asked_for_per_second)


def services(
    use: UseCases,
    wire: MessageConverter,
    clock: Callable[[], datetime],
    book: GrantBook,
    tickets: Tickets,
    count_read: Callable[[str], None],
    message_bytes: int,
) -> dict[str, object]:
    """The objects with the handlers, by the full names of their services. book: what ExplainAccess explains; count_read: told of each
    schema that is handed out among others; message_bytes: the limit of a message."""
    large = LargeAnswers()
    return {
        "schema_registry.v1.SchemaRegistry": SchemaRegistryService(use, wire, clock, large, message_bytes),
        "schema_registry.v1.ConfigService": ConfigService(use),
        "schema_registry.v1.LifecycleService": LifecycleService(use, wire),
        "schema_registry.v1.AdminService": AdminService(use, book),
        "schema_registry.v1.ToolsService": ToolsService(
            use,
            ManySchemas(use.reading, wire, large, count_read),
            ManyPayloads(use.validating, use.reading.limits.page_bytes),
        ),
        "schema_registry.v1.AnswerService": AnswerService(use),
        "schema_registry.v1.ProviderService": ProviderService(use),
        "schema_registry.v1.FixService": FixService(use),
        "schema_registry.v1.ConformanceService": ConformanceService(use),
        "schema_registry.v1.AuditService": AuditService(use, question),
        "schema_registry.v1.TicketService": TicketService(tickets),
    }


def make_twin(
    settings: Settings,
    rpcs: Rpcs,
    unread: Unread,
    memory: FairQueue | None = None,
    queues: Queues | None = None,
    metrics: Metrics | None = None,
    *,
    proxies: TrustedProxies = NO_PROXIES,
    secure: bool = False,
    redeem: Redeem = no_tickets,
) -> HttpTwin:
    """The JSON twin of every RPC. memory: for its requests; queues: where its own queues are shown; metrics: where each request is
    noted. secure: it is reached over TLS. redeem: see Sockets."""
    return HttpTwin(
        rpcs,
        HttpOptions(
            max_body_bytes=settings.http.max_body_bytes,
            max_batch_bytes=settings.http.max_batch_bytes,
            max_values=settings.http.max_values,
            max_escapes=settings.http.max_escapes,
            max_items=settings.limits.request_items,
            unread=unread,
            socket_bytes=settings.limits.socket_bytes,
            live=http.LIVE,
            sockets=http.SOCKETS,
            statuses=http.STATUSES,
            required=http.REQUIRED,
            version=__version__,
            requests=metrics.requests if metrics is not None else HttpRequests(),
            proxies=proxies,
            security=SECURE_API_HEADERS if secure else API_HEADERS,
            origins=frozenset(settings.http.origins),
            hosts=None if secure else own_hosts(settings),
            redeem=redeem,
        ),
        memory,
        queues,
    )


def make_mcp(settings: Settings, rpcs: Rpcs, twin: HttpTwin) -> McpFace:
    """The MCP server, which reads bodies, knows proxies and names, and counts what is unread as the twin does."""
    own, options = settings.mcp, twin.options
    service = mcp.McpService(rpcs, __version__, make_ticket_secret(settings.auth), own.wait_seconds)
    return McpFace(
        service,
        mcp.frame,
        twin.bodies,
        options.requests,
        McpOptions(
            max_body_bytes=min(own.max_body_bytes, options.max_body_bytes),
            unread=options.unread,
            max_values=min(own.max_values, options.max_values),
            max_escapes=options.max_escapes,
            proxies=options.proxies,
            security=options.security,
            origins=options.origins,
            hosts=options.hosts,
        ),
    )


def own_hosts(settings: Settings) -> frozenset[str] | None:
    """The names by which the HTTP listener lets itself be asked without TLS; None where any will do: where it is reached from other
    machines anyway, or nobody gets anything without credentials, which pages of other sites do not have."""
    auth = settings.auth
    unknown = not settings.asks_who or auth.anonymous_roles or any(g.to == ANONYMOUS for g in auth.grants)
    return (
        frozenset(map(str.lower, settings.http.hosts))
        if unknown and on_loopback(settings.http.host)
        else None
    )


def mounts(twin: HttpTwin, probes: Probes) -> list[Mount]:
    """What the HTTP port serves, by path; what is asked most comes first."""
    return [
        Mount("/api/v1", twin.http, twin, twin.websocket, at_once=twin.at_once),
        Mount("/health/live", probes.live, probes, exact=True),
        Mount("/health/ready", probes.ready, probes, exact=True),
        Mount("/health/startup", probes.startup, probes, exact=True),
        Mount("/health", twin.http, twin),
        Mount("/", twin.index, twin, exact=True),
    ]
