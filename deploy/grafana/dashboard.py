"""The dashboard: its variables, its rows in the order of the flow, and its JSON.

Owns what is true of the dashboard as a whole. What the rows show is deploy.grafana.rows.
"""

import math
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from connector.telemetry.families import PREFIX
from deploy.grafana.classic import SOURCE, build
from deploy.grafana.panels import Row, Stat
from deploy.grafana.rows import (
    audiences,
    calls,
    dead_letters,
    health,
    identities,
    kafka,
    lanes,
    people,
    process,
)

PATH = Path(__file__).parent / "dashboards" / "tiktok-audience-connector.json"
"""Where the JSON is committed."""

ROWS = tuple(
    one.ROW
    for one in (
        health,
        kafka,
        identities,
        lanes,
        calls,
        audiences,
        dead_letters,
        people,
        process,
    )
)

_COLUMNS = 24
_MOST_PANELS = 4
_MOST_STATS = 6
"""Side by side."""

_ABOUT = """\
The TikTok audience connector: from Kafka's records to TikTok's audiences, row by row in the order of the flow.
Made by python -m deploy.grafana: change it there."""


def dashboard_json() -> str:
    """What Grafana imports. The same each time."""
    made = (
        builders.Dashboard("TikTok audience connector")
        .uid("tiktok-audience-connector")
        .description(_ABOUT)
        .tags(["tiktok", "kafka"])
        .readonly()
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            builders.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(_picker("job", f"label_values({PREFIX}build_info, job)"))
        .with_variable(_picker("instance", 'label_values(up{job=~"$job"}, instance)'))
    )
    number = 0
    for row in ROWS:
        made.with_row(builders.Row(row.title).id(number := number + 1))
        for panel, width in zip(row.panels, _widths(row), strict=True):
            made.with_panel(build(panel, number := number + 1, width))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _widths(row: Row) -> list[int]:
    """Columns for each panel, so that the lines of a row are as even as can be, and full."""
    most = _MOST_STATS if isinstance(row.panels[0], Stat) else _MOST_PANELS
    lines = math.ceil(len(row.panels) / most)
    fewest, longer = divmod(len(row.panels), lines)
    counts = [fewest + (line < longer) for line in range(lines)]
    return [_COLUMNS // count for count in counts for _ in range(count)]


def _picker(name: str, query: str) -> builders.QueryVariable:
    """A variable that picks some of a label's values, or all.

    "All" stands for those of the list, and not for .+: other programs' jobs have an `up` and processes, too.
    """
    return (
        builders.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(VariableOption(text=["All"], value=["$__all"]))
    )
