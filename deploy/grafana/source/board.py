"""Dashboards and panels: what ours have in common, made with Grafana's foundation SDK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from llm_schema_registry_server.telemetry import families as f

from .queries import of, runbook

SOURCE = models.DataSourceRef("prometheus", "${datasource}")
TAG = "llm-schema-registry"
RUNBOOKS_AT = "docs/runbooks"
"""What the variable `runbooks` is until an operator says where these pages are served."""
GRID = 24
STAT_HEIGHT, GRAPH_HEIGHT = 4, 8

Kind = Literal["graph", "stat", "table", "bars", "heatmap"]
Thresholds = Sequence[tuple[str, float]]
"""Colours and the values from which they hold; below the first it is green."""


@dataclass(frozen=True)
class Query:
    """What a panel asks, and what its series are called: `{{label}}` stands for the value of a label."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel. alerts: names, without SchemaRegistry, of alerts that are about what it shows. top: the value at which the axis ends.

    low: whether small values are bad, so that the colours are in the other order.
    """

    kind: Kind
    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    width: int
    alerts: Sequence[str] = ()
    thresholds: Thresholds = ()
    low: bool = False
    stacked: bool = False
    top: float | None = None
    exemplars: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """A dashboard. name: of its file, and of its uid behind `llm-registry-`."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    tags: Sequence[str] = field(default=())


def _queries(asked: Sequence[str | Query | tuple[str, str]]) -> tuple[Query, ...]:
    return tuple(q if isinstance(q, Query) else Query(*((q,) if isinstance(q, str) else q)) for q in asked)


def graph(
    title: str, description: str, unit: str, *asked: str | tuple[str, str], width: int = 12, **more: Any
) -> Panel:
    """Lines over time. asked: a query, or one with the names of its series."""
    return Panel("graph", title, description, unit, _queries(asked), width, **more)


def number(
    title: str, description: str, unit: str, asked: str | tuple[str, str], width: int = 4, **more: Any
) -> Panel:
    """One number, or one for each series, with a line of how it went."""
    return Panel("stat", title, description, unit, _queries((asked,)), width, **more)


def bars(
    title: str, description: str, unit: str, asked: str | tuple[str, str], width: int = 12, **more: Any
) -> Panel:
    """A bar for each series, as it is now."""
    return Panel("bars", title, description, unit, _queries((asked,)), width, **more)


def listed(
    title: str, description: str, unit: str, *asked: str | tuple[str, str], width: int = 12, **more: Any
) -> Panel:
    """A table of what is now: the labels and the value of each series."""
    return Panel("table", title, description, unit, _queries(asked), width, **more)


def heat(title: str, description: str, unit: str, asked: str, width: int = 12, **more: Any) -> Panel:
    """How a histogram's classes were filled over time."""
    return Panel("heatmap", title, description, unit, (Query(asked, "{{le}}"),), width, **more)


def _thresholds(panel: Panel) -> Any:
    """Green as long as it is well; the SDK's first step has no value."""
    steps = [("green", None), *panel.thresholds]
    if panel.low:
        colours = [colour for colour, _ in panel.thresholds]
        steps = [
            (c, v)
            for c, v in zip([*colours, "green"], [None, *(v for _, v in panel.thresholds)], strict=True)
        ]
    return (
        build.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for colour, value in steps])
    )


def _target(query: Query, number: int, panel: Panel) -> Any:
    made = Dataquery().expr(query.expr).ref_id(chr(ord("A") + number)).datasource(SOURCE)
    made = made.legend_format(query.legend or "__auto")
    match panel.kind:
        case "table":
            return made.instant().format(PromQueryFormat.TABLE)
        case "bars":
            return made.instant()
        case "heatmap":
            return made.range().format(PromQueryFormat.HEATMAP)
    return made.range().exemplar(panel.exemplars)


def _builder(panel: Panel) -> Any:
    made: Any
    match panel.kind:
        case "graph":
            made = (
                timeseries.Panel()
                .fill_opacity(30 if panel.stacked else 8)
                .line_width(1)
                .show_points(common_models.VisibilityMode.NEVER)
                .min(0)
                .legend(
                    common.VizLegendOptions()
                    .display_mode(common_models.LegendDisplayMode.TABLE)
                    .placement(common_models.LegendPlacement.BOTTOM)
                    .calcs(["mean", "max", "lastNotNull"])
                    .show_legend(True)
                )
                .tooltip(
                    common.VizTooltipOptions()
                    .mode(common_models.TooltipDisplayMode.MULTI)
                    .sort(common_models.SortOrder.DESCENDING)
                )
            )
            if panel.stacked:
                made = made.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
            if panel.thresholds:
                line = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
                made = made.thresholds_style(line)
            return made if panel.top is None else made.max(panel.top)
        case "stat":
            return (
                stat.Panel()
                .graph_mode(common_models.BigValueGraphMode.AREA)
                .color_mode(common_models.BigValueColorMode.VALUE)
                .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
                .no_value("-")
            )
        case "bars":
            made = bargauge.Panel().orientation(common_models.VizOrientation.HORIZONTAL).min(0)
            made = made if panel.top is None else made.max(panel.top)
            return made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).no_value("-")
        case "table":
            hidden = {"Time": True, "__name__": True, "job": True}
            tidy = models.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden})
            return table.Panel().with_transformation(tidy)
        case "heatmap":
            return heatmap.Panel().calculate(False).y_axis(heatmap.YAxisConfig().unit(panel.unit))


def _described(panel: Panel) -> str:
    told = [panel.description]
    if panel.alerts:
        told.append(f"Alerts: {', '.join(runbook(alert)[0] for alert in panel.alerts)}.")
    return "\n\n".join(told)


def _runbook_links(alerts: Sequence[str]) -> list[Any]:
    return [
        build.DashboardLink(f"Runbook: {name}")
        .type(models.DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{file}")
        .target_blank(True)
        for name, file in (runbook(alert) for alert in alerts)
    ]


def _panel(panel: Panel, identity: int, place: models.GridPos) -> Any:
    made = (
        _builder(panel)
        .id(identity)
        .title(panel.title)
        .description(_described(panel))
        .datasource(SOURCE)
        .unit(panel.unit)
        .thresholds(_thresholds(panel))
        .grid_pos(place)
    )
    if panel.alerts:
        made = made.links(_runbook_links(panel.alerts))
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(query, number, panel))
    return made


def _variables() -> list[Any]:
    def asked(name: str, label: str, query: str) -> Any:
        # "All" is all that the query finds, not `.*`: process_* and up are of others, too.
        return (
            build.QueryVariable(name)
            .label(label)
            .datasource(SOURCE)
            .query(query)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .current(models.VariableOption(text=["All"], value=["$__all"]))
        )

    built = f.BUILD_INFO.name
    at = models.VariableOption(text=RUNBOOKS_AT, value=RUNBOOKS_AT)
    return [
        build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        asked("job", "Job", f"label_values({built}, job)"),
        asked("instance", "Server", f'label_values({built}{{job=~"$job"}}, instance)'),
        build.TextBoxVariable("runbooks")
        .label("Runbooks at")
        .default_value(RUNBOOKS_AT)
        .current(at)
        .options([at]),
    ]


def _annotations() -> list[Any]:
    def marked(name: str, colour: str, expr: str) -> Any:
        return (
            build.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(colour).expr(expr)
        )

    return [
        marked("Alerts", "red", 'ALERTS{alertname=~"SchemaRegistry.+", alertstate="firing"}'),
        marked("Starts", "blue", f"time() - {of(f.STARTED_AT)} < 60"),
    ]


def dashboard(board: Board) -> str:
    """The dashboard as Grafana reads it."""
    made = (
        build.Dashboard(board.title)
        .uid(f"llm-registry-{board.name}")
        .description(board.description)
        .tags([TAG, *board.tags])
        .timezone("browser")
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            build.DashboardLink("Schema registry")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in _variables():
        made = made.with_variable(variable)
    for annotation in _annotations():
        made = made.annotation(annotation)
    identity = y = 0
    for row in board.rows:
        identity += 1
        made = made.with_row(
            build.Row(row.title).id(identity).grid_pos(models.GridPos(h=1, w=GRID, x=0, y=y))
        )
        y += 1
        x = height = 0
        for panel in row.panels:
            tall = STAT_HEIGHT if panel.kind == "stat" else GRAPH_HEIGHT
            if x + panel.width > GRID:
                x, y, height = 0, y + height, 0
            identity += 1
            made = made.with_panel(_panel(panel, identity, models.GridPos(h=tall, w=panel.width, x=x, y=y)))
            x, height = x + panel.width, max(height, tall)
        y += height
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"
