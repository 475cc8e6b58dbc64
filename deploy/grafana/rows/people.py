"""People: suppression, erasure and consent, and whether they are kept in time."""

from deploy.grafana.panels import COUNT, PER_SECOND, SECONDS, Graph, Row
from deploy.grafana.promql import Query, age, most, per_second, series, total

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
            "Entries being erased",
            "Suppressed or erased profiles whose deletes have not all ended, the second round included. A delete that TikTok rejects becomes a dead letter of the suppression topic.",
            COUNT,
            [Query(total(series("erasure_pending_entries"), "instance"), "{{instance}}")],
            alerts=["ConnectorErasureLate"],
            nothing="not used",
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
