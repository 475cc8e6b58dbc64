"""Kafka in: what is read, what it was, how far behind, and what is committed."""

from deploy.grafana.panels import COUNT, PER_SECOND, SECONDS, Graph, Row, States
from deploy.grafana.promql import Query, least, most, per_second, per_step, series, total

_LAG = series("consumer_lag_records")
_ASSIGNED = total(series("consumer_assigned_partitions"), "topic")

ROW = Row(
    "Kafka in",
    (
        Graph(
            "Records consumed",
            "Records read from each topic. None while there is lag: look at the pauses below, then at the log.",
            PER_SECOND,
            [Query(per_second("records_consumed_total", by="topic"), "{{topic}}")],
            alerts=["ConnectorNoProgress"],
        ),
        Graph(
            "Records by outcome",
            "What consumed records were. Invalid ones are dead letters; filtered ones are of segments without a route.",
            PER_SECOND,
            [Query(per_second("records_total", by="outcome"), "{{outcome}}")],
            stacked=True,
        ),
        Graph(
            "Record errors",
            "What was wrong with records, by reason. docs/dead-letters.md has the reasons: most are the producer's to mend.",
            PER_SECOND,
            [Query(per_second("record_errors_total", by="reason"), "{{reason}}")],
            nothing="none yet",
        ),
        Graph(
            "Lag",
            "Records not read yet, by topic. While it grows, see whether TikTok's allowance is used up: if it is not, add replicas.",
            COUNT,
            [Query(total(_LAG, "topic"), "{{topic}}")],
            alerts=["ConnectorLagGrowing"],
        ),
        Graph(
            "Lag of the worst partitions",
            "The ten partitions that are furthest behind. One alone: its key is hot, or its replica is slow.",
            COUNT,
            [Query(f"topk(10, {total(_LAG, 'topic partition')})", "{{topic}} {{partition}}")],
        ),
        Graph(
            "Oldest unresolved record",
            "How old the oldest record is that may not be committed yet; 0 when all are resolved. A crash reads again from there.",
            SECONDS,
            [
                Query(
                    f"time() - {least(series('oldest_uncommitted_timestamp_seconds'), 'topic')}"
                    f" or 0 * {_ASSIGNED}",
                    "{{topic}}",
                )
            ],
        ),
        Graph(
            "Partitions",
            "Partitions that the replicas own, and those of them that are paused. Too few: a replica is missing, or the group rebalances.",
            COUNT,
            [
                Query(_ASSIGNED, "{{topic}} assigned"),
                Query(total(series("consumer_paused_partitions"), "topic"), "{{topic}} paused"),
            ],
        ),
        States(
            "Intake paused",
            "Why a replica does not read: an operator said so, too much is pending, letters cannot be written, or a blocked audience holds it.",
            COUNT,
            [Query(most(series("intake_paused"), "reason"), "{{reason}}")],
            alerts=["ConnectorIntakePaused"],
            words=("reading", "paused"),
        ),
        Graph(
            "Rebalances",
            "Assignments and revocations. A few with each deployment; many mean that replicas come and go, or miss their session.",
            COUNT,
            [Query(per_step("consumer_rebalances_total", by="event"), "{{event}}")],
            alerts=["ConnectorRebalanceStorm"],
        ),
        Graph(
            "Commits",
            "Offset commits by outcome. Failed ones lose nothing: what they covered is read again after a restart.",
            PER_SECOND,
            [Query(per_second("offset_commits_total", by="outcome"), "{{outcome}}")],
            alerts=["ConnectorCommitsStalled"],
        ),
        Graph(
            "Since the last commit",
            "Time since a replica last committed. It grows while nothing is read, and while the oldest change is not resolved.",
            SECONDS,
            [
                Query(
                    f"time() - {most(series('last_commit_timestamp_seconds'), 'instance')}",
                    "{{instance}}",
                )
            ],
            alerts=["ConnectorCommitsStalled"],
            nothing="none yet",
        ),
    ),
)
