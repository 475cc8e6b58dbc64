"""Is it healthy? One glance: whatever is not green needs somebody."""

from deploy.grafana.panels import COUNT, SECONDS, SHARE, Row, Stat
from deploy.grafana.promql import (
    Query,
    age,
    foreign,
    grown,
    least,
    most,
    or_zero,
    per_second,
    quantile,
    ratio,
    series,
    total,
)

ENDS = 'outcome=~"delivered|superseded|dead_lettered"'
SET_ASIDE = 'outcome="dead_lettered"'

ROW = Row(
    "Is it healthy?",
    (
        Stat(
            "Replicas up",
            "Replicas that answered Prometheus' last scrape.",
            COUNT,
            [Query(total(foreign("up")))],
            alerts=["ConnectorDown"],
            nothing="none",
        ),
        Stat(
            "Replicas down",
            "Replicas that Prometheus knows of and that did not answer. Look why the process ended, or cannot be reached.",
            COUNT,
            [Query(total(f"1 - {foreign('up')}"))],
            alerts=["ConnectorDown"],
            nothing="none known",
            bad_from=1,
        ),
        Stat(
            "Records behind",
            "Records in Kafka that are not read yet, over all partitions. Falling or level is fine; growing is not.",
            COUNT,
            [Query(total(series("consumer_lag_records")))],
            alerts=["ConnectorLagGrowing", "ConnectorNoProgress"],
            nothing="no partition",
        ),
        Stat(
            "Freshness, p99",
            "From a record's Kafka timestamp to TikTok's acceptance: 99 of 100 changes were quicker. The objective is 60 s.",
            SECONDS,
            [Query(quantile(0.99, "delivery_latency_seconds"))],
            alerts=["ConnectorFreshnessBurnFast", "ConnectorFreshnessBurnSlow"],
            nothing="nothing delivered",
            doubtful_from=30,
            bad_from=60,
        ),
        Stat(
            "Error ratio",
            "Of the changes that ended, the part that was set aside as a dead letter. The objective is below 0.1 %.",
            SHARE,
            [
                Query(
                    ratio(per_second("changes_total", SET_ASIDE), per_second("changes_total", ENDS))
                )
            ],
            alerts=["ConnectorErrorBudgetBurnFast", "ConnectorErrorBudgetBurnSlow"],
            bad_from=0.001,
        ),
        Stat(
            "Halted",
            "TikTok refuses these until somebody mends them; their changes wait, and nothing is lost. /status says why.",
            COUNT,
            [
                Query(total(most(series("destination_halted"), "destination")), "destinations"),
                Query(
                    or_zero(total(most(series("audience_halted"), "destination audience"))),
                    "audiences",
                ),
            ],
            alerts=["ConnectorDestinationHalted", "ConnectorAudienceHalted"],
            bad_from=1,
        ),
        Stat(
            "Oldest pending change",
            "How long the longest waiting change has waited for TikTok; 0 when none waits.",
            SECONDS,
            [Query(age("oldest_pending_change_timestamp_seconds"))],
            alerts=["ConnectorDeliveryStale"],
            doubtful_from=300,
            bad_from=900,
        ),
        Stat(
            "Oldest erasure",
            "How long the oldest suppression or erasure has not been wholly at TikTok; 0 when none is pending.",
            SECONDS,
            [Query(age("erasure_oldest_pending_timestamp_seconds"))],
            alerts=["ConnectorErasureLate"],
            doubtful_from=3600,
            bad_from=86_400,
        ),
        Stat(
            "Dead letters",
            "Letters written in the time that is shown. `connector dead-letters list` says of what.",
            COUNT,
            [Query(or_zero(grown("dead_letters_total")))],
            alerts=["ConnectorDeadLetters"],
            doubtful_from=1,
        ),
        Stat(
            "Intake",
            "Whether any replica has paused reading from Kafka. The row below says for which reason.",
            COUNT,
            [Query(most(series("intake_paused")))],
            alerts=["ConnectorIntakePaused"],
            doubtful_from=1,
            words=[(0, "reading"), (1, "paused")],
        ),
        Stat(
            "Configuration",
            "Whether the configuration on disk is the running one. A refused one leaves the old one running.",
            COUNT,
            [Query(f"1 - {least(series('config_last_reload_successful'))}")],
            alerts=["ConnectorConfigRefused"],
            bad_from=1,
            words=[(0, "applied"), (1, "refused")],
        ),
        Stat(
            "Suppression list",
            "Whether every replica has read the suppression topic to its end.",
            COUNT,
            [Query(f"1 - {least(series('suppression_loaded'))}")],
            alerts=["ConnectorSuppressionNotLoaded"],
            nothing="not used",
            bad_from=1,
            words=[(0, "loaded"), (1, "not loaded")],
        ),
    ),
)
