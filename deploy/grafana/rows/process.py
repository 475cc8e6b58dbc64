"""Process: what a replica costs, how long it has run, and what it was told."""

from deploy.grafana.panels import BYTES, COUNT, PER_SECOND, SECONDS, SHARE, Graph, Row, Table
from deploy.grafana.promql import (
    Query,
    foreign,
    most,
    per_second,
    per_step,
    quantile,
    series,
    total,
)

ROW = Row(
    "Process",
    (
        Graph(
            "CPU",
            "Of one core. Near 1 a replica cannot do more: the loop is one thread, so add replicas, up to one for each partition.",
            SHARE,
            [
                Query(
                    total(
                        f"rate({foreign('process_cpu_seconds_total')}[$__rate_interval])",
                        "instance",
                    ),
                    "{{instance}}",
                )
            ],
        ),
        Graph(
            "Memory",
            "Resident memory. It is bounded by delivery.max_pending_rows, whatever the backlog.",
            BYTES,
            [Query(most(foreign("process_resident_memory_bytes"), "instance"), "{{instance}}")],
        ),
        Graph(
            "Event loop lag, p99",
            "How late a timer of the event loop fires. More than 50 ms is unusual: something holds the loop, or the machine is overloaded.",
            SECONDS,
            [Query(quantile(0.99, "event_loop_lag_seconds", by="instance"), "{{instance}}")],
            alerts=["ConnectorEventLoopBlocked"],
            limit=0.5,
        ),
        Graph(
            "Open files",
            "Sockets included, as a part of what the process may open.",
            SHARE,
            [
                Query(
                    f"{most(foreign('process_open_fds'), 'instance')}"
                    f" / {most(foreign('process_max_fds'), 'instance')}",
                    "{{instance}}",
                )
            ],
        ),
        Graph(
            "Uptime",
            "Since the process started. It falls to 0 with each restart: many of these, and the log's last line says why.",
            SECONDS,
            [
                Query(
                    f"time() - {most(foreign('process_start_time_seconds'), 'instance')}",
                    "{{instance}}",
                )
            ],
            alerts=["ConnectorDown"],
        ),
        Table(
            "Versions",
            "Replicas by version. More than one line only during a deployment.",
            COUNT,
            [Query(total(series("build_info"), "version python_version"))],
            columns=[("version", "Connector"), ("python_version", "Python")],
            value="Replicas",
        ),
        Graph(
            "Configuration re-read",
            "Re-readings of the configuration, by outcome. A refused one leaves the old one running; the log names the keys.",
            COUNT,
            [Query(per_step("config_reloads_total", by="outcome"), "{{outcome}}")],
            alerts=["ConnectorConfigRefused"],
        ),
        Graph(
            "Age of the configuration",
            "Since the running configuration was read. Replicas that differ for long: one of them has not taken up a change.",
            SECONDS,
            [
                Query(
                    "time() - "
                    + most(series("config_last_reload_success_timestamp_seconds"), "instance"),
                    "{{instance}}",
                )
            ],
        ),
        Graph(
            "Refused requests",
            "Requests to the HTTP side that were refused, by reason. Somebody has no token, the wrong one, or comes from another site.",
            PER_SECOND,
            [Query(per_second("admin_requests_refused_total", by="reason"), "{{reason}}")],
            nothing="none",
        ),
    ),
)
