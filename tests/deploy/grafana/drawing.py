"""The dashboard as one HTML page: each panel where Grafana's grid has it, with what Prometheus answers to its queries.

No Grafana can run in the tests. This page shows whether a panel has something to show, and whether it can be read;
colours and fonts are its own. It needs no script: all is drawn here.
"""

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.deploy.grafana.plot import Drawn, Plot, colour_of, stacked
from tests.deploy.grafana.units import shown
from tests.deploy.prometheus import Series

COLUMN = 50  # pixels of one of the grid's 24 columns
NOTHING = '<p class="nothing">'

_LINE = 24  # pixels of one of the grid's units of height
_GAP = 6
_TITLE = 16
_LEGEND = 22
_EDGE = 14
_LEVELS = {"green": "#d8f0d8", "orange": "#ffe2b8", "red": "#ffc9c9"}
_STYLE = f"""
body {{ margin: 0; background: #eef0f3; font: 11px sans-serif; color: #222; }}
section, h2 {{ position: absolute; box-sizing: border-box; margin: 0; overflow: hidden; }}
section {{ background: #fff; border: 1px solid #d5d9df; padding: 3px 6px; }}
h2 {{ font-size: 14px; padding: 5px 4px 0; }}
h3 {{ margin: 0; font-size: 11px; height: {_TITLE}px; }}
.nothing {{ margin: 0; color: #888; padding-top: 12px; text-align: center; }}
.stat {{ display: flex; justify-content: space-around; font-size: 26px; padding-top: 12px; }}
.stat small {{ font-size: 11px; display: block; color: #555; }}
.legend {{ font-size: 9px; line-height: 11px; height: {_LEGEND}px; overflow: hidden; }}
.legend i {{ display: inline-block; width: 8px; height: 3px; margin: 0 3px 2px 7px; }}
th {{ text-align: left; }} th, td {{ padding: 1px 8px 1px 0; }}
"""

Ask = Callable[[dict[str, Any]], list[Series]]
"""What Prometheus answers to a target: points over time, or one point where the target is instant."""


def page(tree: dict[str, Any], ask: Ask, since: float, until: float) -> str:
    """The page's HTML.

    Args:
        tree: the dashboard's JSON.
        ask: who answers queries.
        since: where the axes of time begin, in seconds since the epoch.
        until: where they end.
    """
    parts = [_panel(one, ask, since, until) for one in tree["panels"]]
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(tree["title"])}</title>'
        f"<style>{_STYLE}</style>{''.join(parts)}"
    )


def height(tree: dict[str, Any]) -> int:
    """Pixels of the whole page."""
    return _LINE * max(int(one["gridPos"]["y"] + one["gridPos"]["h"]) for one in tree["panels"])


def _panel(panel: dict[str, Any], ask: Ask, since: float, until: float) -> str:
    grid = panel["gridPos"]
    width, tall = grid["w"] * COLUMN - _GAP, grid["h"] * _LINE - _GAP
    left, top = grid["x"] * COLUMN + _GAP // 2, grid["y"] * _LINE + _GAP // 2
    place = f"left:{left}px;top:{top}px;width:{width}px;height:{tall}px"
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        return f'<h2 style="{place}">{title}</h2>'
    found = [
        (target.get("legendFormat", ""), [one for one in ask(target) if one.points])
        for target in panel["targets"]
    ]
    plot = Plot(width - _EDGE, tall - _TITLE - _LEGEND - 10, since, until)
    body = f"{NOTHING}{html.escape(panel['fieldConfig']['defaults']['noValue'])}</p>"
    if any(series for _, series in found):
        body = _body(panel, found, plot)
    return f'<section style="{place}"><h3>{title}</h3>{body}</section>'


def _body(panel: dict[str, Any], found: list[tuple[str, list[Series]]], plot: Plot) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    drawn = [Drawn(_legend(name, one.labels), one.points) for name, some in found for one in some]
    match panel["type"]:
        case "stat":
            return _stat(drawn, defaults)
        case "table":
            return _table([one for _, some in found for one in some], panel)
        case "state-timeline":
            return plot.bars(drawn)
        case "timeseries":
            return _graph(drawn, defaults, plot)
        case kind:
            raise ValueError(f"no way to draw a {kind}")


def _legend(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda one: labels.get(one[1], ""), template)


def _stat(series: Sequence[Drawn], defaults: dict[str, Any]) -> str:
    parts = []
    for one in series:
        value = one.points[-1][1]
        name = html.escape(one.legend) if len(series) > 1 else ""
        words = html.escape(_in_words(value, defaults))
        parts.append(f"<span>{words}<small>{name}</small></span>")
    worst = max(one.points[-1][1] for one in series)
    colour = _LEVELS[_level(worst, defaults["thresholds"]["steps"])]
    return f'<div class="stat" style="background:{colour}">{"".join(parts)}</div>'


def _in_words(value: float, defaults: dict[str, Any]) -> str:
    for mapping in defaults.get("mappings", ()):
        if (found := mapping["options"].get(f"{value:g}")) is not None:
            return str(found["text"])
    return shown(value, defaults["unit"])


def _level(value: float, steps: Sequence[dict[str, Any]]) -> str:
    passed = [one["color"] for one in steps if one["value"] is None or value >= one["value"]]
    return str(passed[-1])


def _graph(series: Sequence[Drawn], defaults: dict[str, Any], plot: Plot) -> str:
    is_stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    steps = defaults.get("thresholds", {}).get("steps", ())
    limits = [one["value"] for one in steps if one["value"] is not None]
    lines = plot.lines(stacked(series) if is_stacked else series, defaults["unit"], limits)
    names = "".join(
        f'<i style="background:{colour_of(place)}"></i>{html.escape(one.legend)}'
        for place, one in enumerate(series)
    )
    return f'{lines}<div class="legend">{names}</div>'


def _table(series: Sequence[Series], panel: dict[str, Any]) -> str:
    order = panel["transformations"][0]["options"]
    places: dict[str, int] = order["indexByName"]
    names = sorted(places, key=places.__getitem__)
    heads = "".join(f"<th>{html.escape(order['renameByName'][name])}</th>" for name in names)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    lines = []
    for one in sorted(series, key=lambda one: -one.points[-1][1]):
        cells = {**one.labels, "Value": shown(one.points[-1][1], unit)}
        lines.append("".join(f"<td>{html.escape(cells[name])}</td>" for name in names))
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
