"""Identities: which identifiers were usable, which were dropped, and what went to TikTok."""

from deploy.grafana.panels import PER_SECOND, SHARE, Graph, Row
from deploy.grafana.promql import Query, per_second

_USABLE = per_second("identifiers_usable_total", by="source")
_MAPPED = 'reason!="unmapped"'
_DROPPED = per_second("identifiers_dropped_total", _MAPPED, by="source")
_SEEN = f"({_USABLE} + ({_DROPPED} or 0 * {_USABLE}))"

ROW = Row(
    "Identities",
    (
        Graph(
            "Usable identifiers",
            "By source and by what they were: plain ones are hashed here. A kind that the source is not meant to give is a fault there.",
            PER_SECOND,
            [
                Query(
                    per_second("identifiers_usable_total", by="source kind"), "{{source}} {{kind}}"
                )
            ],
            stacked=True,
        ),
        Graph(
            "Dropped identifiers",
            "By source and reason, while the record itself goes on. A reason that grows with a source's events is that source's fault.",
            PER_SECOND,
            [
                Query(
                    f"{per_second('identifiers_dropped_total', by='source reason')} > 0",
                    "{{source}} {{reason}}",
                )
            ],
            nothing="none dropped",
        ),
        Graph(
            "Share dropped",
            "Of the values of a mapped source, the part that could not be used. A step up: the producer changed how it writes them.",
            SHARE,
            [Query(f"{_DROPPED} / ({_SEEN} > 0) or 0 * {_USABLE}", "{{source}}")],
        ),
        Graph(
            "Identifiers sent",
            "Identifiers that TikTok accepted, by type and action.",
            PER_SECOND,
            [Query(per_second("identifiers_sent_total", by="type action"), "{{type}} {{action}}")],
            stacked=True,
        ),
    ),
)
