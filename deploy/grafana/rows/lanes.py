"""Lanes: what waits for TikTok, for how long, how it is cut into calls and how it ends."""

from deploy.grafana.panels import COUNT, PER_SECOND, SECONDS, SHARE, Graph, Row
from deploy.grafana.promql import (
    Query,
    age,
    per_second,
    percentiles,
    quantile,
    ratio,
    series,
    total,
)

_LATENCY = "delivery_latency_seconds"
_IN_TIME = per_second(f"{_LATENCY}_bucket", 'le=~"60|60[.]0"')
_BATCH = "batch_rows"

ROW = Row(
    "Lanes",
    (
        Graph(
            "Changes by outcome",
            "How accepted changes ended. Superseded ones had a newer change in their place; handed over ones are read again by the next owner.",
            PER_SECOND,
            [Query(per_second("changes_total", by="outcome"), "{{outcome}}")],
            alerts=["ConnectorErrorBudgetBurnFast"],
            stacked=True,
        ),
        Graph(
            "Pending rows",
            "Changes that have not ended, calls under way included. At delivery.max_pending_rows a replica pauses its intake.",
            COUNT,
            [Query(total(series("pending_rows"), "instance"), "{{instance}}")],
        ),
        Graph(
            "Oldest pending change",
            "How long the longest waiting change has waited; 0 when none waits. A halted audience's changes count, too.",
            SECONDS,
            [Query(age("oldest_pending_change_timestamp_seconds", "instance"), "{{instance}}")],
            alerts=["ConnectorDeliveryStale"],
        ),
        Graph(
            "Freshness",
            "From a record's Kafka timestamp to TikTok's acceptance. After an outage it is high until the backlog is delivered.",
            SECONDS,
            percentiles(_LATENCY),
            alerts=["ConnectorFreshnessBurnFast", "ConnectorFreshnessBurnSlow"],
            nothing="nothing delivered",
            limit=60,
        ),
        Graph(
            "Freshness by topic, p99",
            "One topic alone: its records are old when they arrive, or its audiences are halted or wait.",
            SECONDS,
            [Query(quantile(0.99, _LATENCY, by="topic"), "{{topic}}")],
            nothing="nothing delivered",
            limit=60,
        ),
        Graph(
            "Delivered within 60 s",
            "The part of the delivered changes that kept the objective, which is 99 %.",
            SHARE,
            [Query(f"{_IN_TIME} / ({per_second(f'{_LATENCY}_count')} > 0)")],
            alerts=["ConnectorFreshnessBurnFast", "ConnectorFreshnessBurnSlow"],
            nothing="nothing delivered",
        ),
        Graph(
            "Batches by trigger",
            "What made calls due. Mostly by age: lanes are small. Mostly by size or bytes: there is a backlog.",
            PER_SECOND,
            [Query(per_second("batches_total", by="trigger"), "{{trigger}}")],
            stacked=True,
        ),
        Graph(
            "Rows in a call",
            "Few rows while the allowance is used up: a longer delivery.linger_seconds makes calls larger.",
            COUNT,
            [
                *percentiles(_BATCH),
                Query(
                    ratio(per_second(f"{_BATCH}_sum"), per_second(f"{_BATCH}_count")),
                    "mean",
                ),
            ],
        ),
    ),
)
