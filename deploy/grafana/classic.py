"""Panels as Grafana's classic dashboard JSON: how each kind looks.

Owns sizes, colours and legends, and what the SDK leaves out though Grafana's own editor fills it in: refId and id.
This module and deploy.grafana.dashboard alone know the SDK.
"""

from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, statetimeline
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries as graphs
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.panels import Graph, Panel, Stat, States, Table

SOURCE = looks.DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The data source that the dashboard's variable picks."""

_GREEN, _ORANGE, _RED = "green", "orange", "red"
_HEIGHT = 8  # units of Grafana's grid
_STAT_HEIGHT = 4

_Made = TypeVar("_Made", stat.Panel, graphs.Panel, statetimeline.Panel, tables.Panel)


def build(panel: Panel, number: int, width: int) -> Builder[models.Panel]:
    """The builder of a panel that has this id, and is so many columns of the grid wide."""
    match panel:
        case Stat():
            return _stat(panel, number, width)
        case Graph():
            return _graph(panel, number, width)
        case States():
            return _states(panel, number, width)
        case Table():
            return _table(panel, number, width)
    raise TypeError(f"there is no look for a {type(panel).__name__}")


def _stat(panel: Stat, number: int, width: int) -> stat.Panel:
    made = (
        _framed(stat.Panel(), panel, number, width)
        .height(_STAT_HEIGHT)
        .color_mode(looks.BigValueColorMode.BACKGROUND)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .graph_mode(looks.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_steps((panel.doubtful_from, _ORANGE), (panel.bad_from, _RED)))
        .mappings([_words(panel.words)] if panel.words else [])
    )
    for target in _targets(panel):
        made.with_target(target.instant())
    return made


def _graph(panel: Graph, number: int, width: int) -> graphs.Panel:
    made = (
        _framed(graphs.Panel(), panel, number, width)
        .min(0)
        .line_width(1)
        .show_points(looks.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
    )
    if panel.stacked:
        made.fill_opacity(30)
        made.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    if panel.limit is not None:
        line = looks.GraphThresholdsStyleMode.LINE
        made.thresholds(_steps((panel.limit, _RED)))
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(line))
    for target in _targets(panel):
        made.with_target(target.range())
    return made


def _states(panel: States, number: int, width: int) -> statetimeline.Panel:
    made = (
        _framed(statetimeline.Panel(), panel, number, width)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .show_value(looks.VisibilityMode.NEVER)
        .merge_values(merge_values=True)
        .thresholds(_steps((1, _RED)))
        .mappings([_words(list(enumerate(panel.words)))])
        .legend(_legend())
    )
    for target in _targets(panel):
        made.with_target(target.range())
    return made


def _table(panel: Table, number: int, width: int) -> tables.Panel:
    columns = [*panel.columns, ("Value", panel.value)]
    order = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, (name, _) in enumerate(columns)},
        "renameByName": dict(columns),
    }
    made = _framed(tables.Panel(), panel, number, width).with_transformation(
        models.DataTransformerConfig(id_val="organize", options=order)
    )
    for target in _targets(panel):
        made.with_target(target.instant().format(PromQueryFormat.TABLE))
    return made


def _framed(made: _Made, panel: Panel, number: int, width: int) -> _Made:
    """What all kinds have."""
    return (
        made.id(number)
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .no_value(panel.nothing)
        .datasource(SOURCE)
        .span(width)
        .height(_HEIGHT)
    )


def _targets(panel: Panel) -> Iterator[prometheus.Dataquery]:
    for place, query in enumerate(panel.queries):
        yield (
            prometheus.Dataquery()
            .ref_id(ascii_uppercase[place])
            .expr(query.expression)
            .legend_format(query.legend or panel.title)
            .datasource(SOURCE)
        )


def _steps(*steps: tuple[float | None, str]) -> builders.ThresholdsConfig:
    """Green, and from each value on its colour."""
    taken = [models.Threshold(value, colour) for value, colour in steps if value is not None]
    return (
        builders.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(None, _GREEN), *taken])
    )


def _words(words: Sequence[tuple[int, str]]) -> models.ValueMap:
    return models.ValueMap({str(value): models.ValueMappingResult(word) for value, word in words})


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(looks.LegendDisplayMode.LIST)
        .placement(looks.LegendPlacement.BOTTOM)
    )
