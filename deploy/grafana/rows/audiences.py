"""Audiences: which ones are halted, and how many people TikTok found in them."""

from deploy.grafana.panels import COUNT, Graph, Row, States, Table
from deploy.grafana.promql import Query, most, series

_HALTED = most(series("audience_halted"), "destination audience")

ROW = Row(
    "Audiences",
    (
        States(
            "Halted destinations",
            "1 while TikTok refuses a destination's calls: its token, its permission or its account. Its changes wait.",
            COUNT,
            [Query(most(series("destination_halted"), "destination"), "{{destination}}")],
            alerts=["ConnectorDestinationHalted"],
            words=("open", "halted"),
        ),
        Table(
            "Halted audiences",
            "Audiences that TikTok refuses. /status has the reason, since when, and when it is tried again.",
            COUNT,
            [Query(f"{_HALTED} == 1")],
            alerts=["ConnectorAudienceHalted"],
            nothing="none",
            columns=[("destination", "Destination"), ("audience", "Audience")],
            value="Halted",
        ),
        Graph(
            "Matched users",
            "Users whom TikTok matched, as it last said; it takes 24 to 48 hours. Below 1,000 an audience cannot be used in a campaign.",
            COUNT,
            [
                Query(
                    most(series("audience_matched_users"), "destination audience"),
                    "{{destination}} {{audience}}",
                )
            ],
            alerts=["ConnectorAudienceTooSmall"],
            nothing="not known yet",
            limit=1000,
        ),
    ),
)
