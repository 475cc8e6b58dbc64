"""TikTok calls and allowances: what TikTok answers, how fast, and how much of the allowance is used."""

from deploy.grafana.panels import (
    CALLS_PER_SECOND,
    COUNT,
    PER_SECOND,
    SECONDS,
    SHARE,
    Graph,
    Row,
)
from deploy.grafana.promql import Query, per_second, percentiles, rate, ratio, series, total

REFUSED_TOKENS = ('code=~"40001|401[0-9]{2}"', 'code!~"40100|40132|40133"')
"""No permission, and the codes of authorization; those between that are rate limits are left out."""

_CALLS = "api_requests_total"
_DURATION = "api_request_duration_seconds"
_SHARE = total(series("rate_limit_share_calls_per_second"))

ROW = Row(
    "TikTok calls and allowances",
    (
        Graph(
            "Calls by code",
            "Calls by the code in TikTok's body; 0 is success. docs/dead-letters.md says what follows from each.",
            CALLS_PER_SECOND,
            [Query(f"{per_second(_CALLS, by='endpoint code')} > 0", "{{endpoint}} {{code}}")],
            nothing="no calls",
        ),
        Graph(
            "Failed calls",
            "The part of the calls that TikTok did not answer with 0. Retried without end, halted or set aside, by the code.",
            SHARE,
            [Query(ratio(per_second(_CALLS, 'code!="0"'), per_second(_CALLS)))],
        ),
        Graph(
            "Refused tokens and permissions",
            "Calls that TikTok refused for their token. Put a new token into its file: it is taken up within seconds.",
            CALLS_PER_SECOND,
            [Query(f"{per_second(_CALLS, *REFUSED_TOKENS, by='code')} > 0", "{{code}}")],
            alerts=["ConnectorTokenRejected", "ConnectorDestinationHalted"],
            nothing="none",
        ),
        Graph(
            "Call duration",
            "How long mapping calls took. It bounds what one audience can take: a few calls at a time, each so long.",
            SECONDS,
            percentiles(_DURATION, 'endpoint="segment/mapping"'),
            nothing="no calls",
        ),
        Graph(
            "Calls under way",
            "By replica. At delivery.max_in_flight while lanes wait: TikTok is slow, or the bound is low.",
            COUNT,
            [Query(total(series("in_flight_requests"), "instance"), "{{instance}}")],
        ),
        Graph(
            "Retries",
            "Batches that will be sent again, by reason. Nothing is lost; freshness suffers.",
            PER_SECOND,
            [Query(per_second("api_retries_total", by="reason"), "{{reason}}")],
            nothing="none yet",
            stacked=True,
        ),
        Graph(
            "Allowance",
            "The calls that all replicas may make, those that they allow themselves now, and those that they make.",
            CALLS_PER_SECOND,
            [
                Query(_SHARE, "share"),
                Query(total(series("rate_limit_calls_per_second")), "allowed now"),
                Query(per_second(_CALLS), "made"),
            ],
        ),
        Graph(
            "Allowance used",
            "Calls made, of those allowed. Near 100 % while changes grow old: ask TikTok for a higher tier, or linger longer. More replicas do not help.",
            SHARE,
            [Query(ratio(per_second(_CALLS), _SHARE))],
            alerts=["ConnectorAllowanceUsedUp"],
        ),
        Graph(
            "Waiting for the allowance",
            "The part of the time in which a replica's due batches waited for their turn.",
            SHARE,
            [Query(total(rate("rate_limit_wait_seconds_total"), "instance"), "{{instance}}")],
            alerts=["ConnectorAllowanceUsedUp"],
        ),
        Graph(
            "Too many calls",
            "Answers that there were too many calls. The rate falls by itself. If it goes on, somebody else uses the app: set tiktok.rate_limit.share.",
            CALLS_PER_SECOND,
            [Query(per_second("rate_limited_total", by="endpoint"), "{{endpoint}}")],
            alerts=["ConnectorRateLimited"],
        ),
    ),
)
