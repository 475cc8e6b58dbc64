"""People: suppression, erasure and consent, and whether they are kept in time."""

from deploy.grafana.panels import COUNT, PER_SECOND, SECONDS, Graph, Row
from deploy.grafana.promql import Query, age, most, per_second, series

ROW = Row(
    "People",
    (
        Graph(
            "Oldest erasure",
            "How long the oldest suppression or erasure has not been wholly at TikTok; 0 when none is pending. The law sets a limit.",
            SECONDS,
            [Query(age("erasure_oldest_pending_timestamp_seconds", "instance"), "{{instance}}")],
            alerts=["ConnectorErasureLate"],
            limit=86_400,
        ),
        Graph(
            "Deletes for erasure",
            "Deletes that the suppression list asked for, by how they ended. A failed one leaves somebody in an audience: it needs somebody.",
            PER_SECOND,
            [Query(per_second("erasure_deletes_total", by="outcome"), "{{outcome}}")],
            alerts=["ConnectorErasureLate"],
        ),
        Graph(
            "Additions blocked",
            "Additions that were not made: the profile is suppressed, or has not consented.",
            PER_SECOND,
            [
                Query(
                    per_second("additions_blocked_total", by="topic reason"), "{{topic}} {{reason}}"
                )
            ],
        ),
        Graph(
            "Suppression list",
            "Profiles on the list, by status. Every replica holds the whole list.",
            COUNT,
            [Query(most(series("suppression_entries"), "status"), "{{status}}")],
            nothing="not used",
        ),
        Graph(
            "Entries without identities",
            "Entries that can only block additions by profile id: what was sent before cannot be deleted by them.",
            COUNT,
            [Query(most(series("suppression_entries_without_identities")))],
            nothing="not used",
        ),
        Graph(
            "Suppression list loaded",
            "Replicas that have read the suppression topic to its end count 1. 0 for long: the topic cannot be read.",
            COUNT,
            [Query(most(series("suppression_loaded"), "instance"), "{{instance}}")],
            alerts=["ConnectorSuppressionNotLoaded"],
            nothing="not used",
        ),
    ),
)
