"""Pieces of PromQL, so that every query picks its job and its instances and sums what replicas share.

A name is a metric's without the connector's prefix. `by` are labels, separated by spaces; "" is one sum over all.
"""

from typing import NamedTuple

from connector.telemetry.families import PREFIX

PICKED = 'job=~"$job", instance=~"$instance"'


class Query(NamedTuple):
    """An expression and the legend of its series: Grafana's template, {{label}} for a label's value.

    Without a legend the panel's title is it: for a query that gives one series.
    """

    expression: str
    legend: str = ""


def series(name: str, *matchers: str) -> str:
    """The series of one of the connector's metrics that the dashboard's variables pick."""
    return foreign(PREFIX + name, *matchers)


def foreign(name: str, *matchers: str) -> str:
    """The same of a metric that is not the connector's own: up, and what the process says of itself."""
    return f"{name}{{{', '.join((PICKED, *matchers))}}}"


def rate(name: str, *matchers: str) -> str:
    """A counter's growth in a second."""
    return f"rate({series(name, *matchers)}[$__rate_interval])"


def per_second(name: str, *matchers: str, by: str = "") -> str:
    """A counter's growth in a second, over all replicas."""
    return total(rate(name, *matchers), by)


def per_step(name: str, *matchers: str, by: str = "") -> str:
    """How much a counter grew from one point to the next, over all replicas: for what is rare."""
    return total(f"increase({series(name, *matchers)}[$__rate_interval])", by)


def grown(name: str) -> str:
    """How much a counter grew in the time that is shown, over all replicas.

    A series that began in it counts whole: increase() does not see a first step.
    """
    there = series(name)
    before = f"last_over_time({there}[$__range] offset $__range)"
    return total(f"({there} unless {before}) or increase({there}[$__range])")


def total(expression: str, by: str = "") -> str:
    return _over("sum", expression, by)


def most(expression: str, by: str = "") -> str:
    """The greatest: of what every replica says of the same thing."""
    return _over("max", expression, by)


def least(expression: str, by: str = "") -> str:
    return _over("min", expression, by)


def quantile(share: float, name: str, *matchers: str, by: str = "") -> str:
    """Of a histogram. Nothing, and not NaN, where nothing was observed."""
    buckets = per_second(f"{name}_bucket", *matchers, by=f"le {by}")
    return f"histogram_quantile({share:g}, {buckets}) >= 0"


def percentiles(name: str, *matchers: str) -> list[Query]:
    """The middle, and what 5 and 1 of 100 exceed."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return [Query(quantile(share, name, *matchers), legend) for legend, share in shares.items()]


def ratio(part: str, whole: str) -> str:
    """A part of a whole, both rates over all replicas; 0 where there is no whole."""
    return f"{part} / ({whole} > 0) or 0 * {whole}"


def age(name: str, by: str = "") -> str:
    """Seconds since the oldest of some instants; 0 where there is none, while a replica answers."""
    return or_zero(f"time() - {least(series(name), by)}", by)


def or_zero(expression: str, by: str = "") -> str:
    """0 where the expression finds nothing: without a replica that answers there is nothing still.

    `by` may be instance or nothing: these are what every replica has.
    """
    return f"{expression} or 0 * {most(series('build_info'), by)}"


def _over(aggregate: str, expression: str, by: str) -> str:
    labels = f" by ({', '.join(by.split())}) " if by else ""
    return f"{aggregate}{labels}({expression})"
