"""Dead letters: what was set aside, and why."""

from deploy.grafana.panels import COUNT, PER_SECOND, SHARE, Graph, Row, Table
from deploy.grafana.promql import Query, per_second, ratio, series, total
from deploy.grafana.rows.health import ENDS, SET_ASIDE

_LETTERS = "dead_letters_total"
_CHANGES = "changes_total"

ROW = Row(
    "Dead letters",
    (
        Graph(
            "Letters by reason",
            "docs/dead-letters.md has the reasons, and what to do about each. Then: `connector dead-letters replay`.",
            PER_SECOND,
            [Query(per_second(_LETTERS, by="reason"), "{{reason}}")],
            alerts=["ConnectorDeadLetters"],
            nothing="none yet",
            stacked=True,
        ),
        Graph(
            "Letters by topic",
            "One topic alone: its producer writes what the connector cannot read.",
            PER_SECOND,
            [Query(per_second(_LETTERS, by="topic"), "{{topic}}")],
            alerts=["ConnectorDeadLetters"],
            nothing="none yet",
        ),
        Graph(
            "Changes set aside",
            "Of the changes that ended, the part that became letters. The objective is below 0.1 %.",
            SHARE,
            [Query(ratio(per_second(_CHANGES, SET_ASIDE), per_second(_CHANGES, ENDS)))],
            alerts=["ConnectorErrorBudgetBurnFast", "ConnectorErrorBudgetBurnSlow"],
            limit=0.001,
        ),
        Table(
            "Letters since the start",
            "All that the running replicas have written, the first of each reason included: a rate misses that one.",
            COUNT,
            [Query(total(series(_LETTERS), "topic reason"))],
            nothing="none",
            columns=[("topic", "Topic"), ("reason", "Reason")],
            value="Letters",
        ),
    ),
)
