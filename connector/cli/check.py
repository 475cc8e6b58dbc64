"""`connector check`: would it run? The configuration, and unless --offline, Kafka and TikTok. Changes nothing.

Owns the words for what was found and which of it keeps the connector from running. What is asked, and how, is
known by connector.kafka.inspection and connector.tiktok.inspection.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from connector.cli.config import read
from connector.configured import kafka_security
from connector.core.outcome import Delivered, Outcome
from connector.core.rate_limit import RateLimit
from connector.errors import ConnectorError
from connector.kafka.inspection import Cluster, Topic, inspect
from connector.settings.credentials import Secrets
from connector.settings.model import DestinationSettings, Settings
from connector.settings.policy import read as read_policy
from connector.tiktok.client import TikTokClient
from connector.tiktok.inspection import Account, Audience, Inspector

_TIMEOUT_SECONDS = 20.0

_USABLE_FROM = 1000
"""TikTok shows no ads to an audience of fewer matched users."""


class Verdict(StrEnum):
    """What a finding says of its subject. Missing and wrong keep the connector from running."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    SKIPPED = "skipped"


_COLOURS = {Verdict.OK: 32, Verdict.MISSING: 31, Verdict.WRONG: 31, Verdict.SKIPPED: 33}


class Finding(NamedTuple):
    """One line: what was looked at, how it is, and what to know or do about it."""

    subject: str
    verdict: Verdict
    detail: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--offline", action="store_true", help="check the configuration alone: call nobody"
    )
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="text: a line for each finding; json: one list (default: %(default)s)",
    )


def main(options: argparse.Namespace) -> int:
    """Check and print; 0 when it would run. Raises ConnectorError that names what is missing or wrong."""
    settings, secrets = read(options)
    findings = [_configuration(settings), *_governance(settings)]
    if options.offline:
        findings += _unasked(settings)
    else:
        # What libraries warn of is said by the findings, in words for people.
        for library in ("aiokafka", "asyncio"):
            logging.getLogger(library).addHandler(logging.NullHandler())
        findings += asyncio.run(_look(settings, secrets))
    _print(findings, options.output)
    bad = [one for one in findings if one.verdict in (Verdict.MISSING, Verdict.WRONG)]
    if bad:
        named = "; ".join(f"{one.subject} is {one.verdict}" for one in bad)
        raise ConnectorError(f"it would not run: {named}")
    return 0


async def _look(settings: Settings, secrets: Secrets) -> list[Finding]:
    """Ask everybody at once; the findings stay in the order of the configuration."""
    topics = _topics(settings)
    timeout = min(_TIMEOUT_SECONDS, settings.tiktok.request_timeout_seconds)
    rate = RateLimit(settings.tiktok.rate_limit.calls_per_second)
    async with (
        TikTokClient(settings.tiktok.base_url, timeout) as client,
        asyncio.TaskGroup() as group,
    ):
        servers, security = settings.kafka.bootstrap_servers, kafka_security(settings, secrets)
        looking = group.create_task(inspect(servers, security, list(topics), _TIMEOUT_SECONDS))
        inspector = Inspector(client, rate, asyncio.get_running_loop().time)
        asking = [
            group.create_task(
                inspector.inspect(
                    one.advertiser_id,
                    secrets.tokens[one.name].value(),
                    list(_audiences_of(settings, one)),
                )
            )
            for one in settings.destinations
        ]
    findings = [*_kafka(looking.result(), topics)]
    for destination, task in zip(settings.destinations, asking, strict=True):
        findings += _destination(destination, task.result(), _audiences_of(settings, destination))
    return findings


def _topics(settings: Settings) -> dict[str, str]:
    """The topics that must be there, each with what a finding calls it."""
    kafka, suppression = settings.kafka, settings.governance.suppression_topic
    topics = {topic.name: f"topic {topic.name}" for topic in kafka.topics}
    topics[kafka.dead_letter_topic] = f"dead-letter topic {kafka.dead_letter_topic}"
    if suppression is not None:
        topics[suppression] = f"suppression topic {suppression}"
    return topics


def _audiences_of(settings: Settings, destination: DestinationSettings) -> dict[str, str]:
    """The audiences that routes lead to, each with its segment."""
    return {
        route.audience_id: route.segment
        for route in settings.routes
        if route.destination == destination.name
    }


# The configuration


def _configuration(settings: Settings) -> Finding:
    counts = (
        (len(settings.kafka.topics), "topic"),
        (len(settings.destinations), "destination"),
        (len(settings.routes), "route"),
    )
    return Finding("configuration", Verdict.OK, ", ".join(_count(*one) for one in counts))


def _governance(settings: Settings) -> Iterator[Finding]:
    """What the rules about people came to: what they refuse was said when the settings were read."""
    governance = settings.governance
    if governance.policy_file is not None:
        rules = len(read_policy(governance.policy_file).rules)
        allowed = f"{_count(rules, 'rule')} applied to {_count(len(settings.routes), 'route')}"
        yield Finding("policy", Verdict.OK, f"{allowed}: nothing is denied")
    if governance.require_consent:
        purposes = ", ".join(governance.require_consent)
        yield Finding("consent", Verdict.OK, f"nobody is added without consent to {purposes}")


def _unasked(settings: Settings) -> Iterator[Finding]:
    """What nobody was asked about, one line for each party."""
    detail = f"offline: not asked whether it answers and has {', '.join(_topics(settings))}"
    yield Finding("kafka", Verdict.SKIPPED, detail)
    for one in settings.destinations:
        audiences = _count(len(_audiences_of(settings, one)), "audience")
        yield Finding(
            f"destination {one.name}",
            Verdict.SKIPPED,
            "offline: its token is at hand; TikTok was not asked whether it accepts it,"
            f" nor for advertiser {one.advertiser_id} and {audiences}",
        )


# Kafka


def _kafka(cluster: Cluster, topics: Mapping[str, str]) -> Iterator[Finding]:
    names = ", ".join(cluster.servers)
    silent = [f"{server}: {why}" for server, why in cluster.servers.items() if why]
    if len(silent) == len(cluster.servers):
        detail = f"{'; '.join(silent)}; see kafka.bootstrap_servers and kafka.security"
        yield Finding("kafka", Verdict.WRONG, detail)
    elif cluster.refusal:
        yield Finding("kafka", Verdict.WRONG, f"{names}: {cluster.refusal}")
    else:
        reached = f"answers at {names}" if not silent else f"answers, but for {'; '.join(silent)}"
        yield Finding("kafka", Verdict.OK, f"{reached}; {_count(len(cluster.brokers), 'broker')}")
    for address, why in cluster.brokers.items():
        if why:
            detail = f"the cluster says to use this address: {why}; see its advertised.listeners"
            yield Finding(f"kafka broker {address}", Verdict.WRONG, detail)
    for name, subject in topics.items():
        yield _topic(subject, cluster.topics.get(name))


def _topic(subject: str, topic: Topic | None) -> Finding:
    if topic is None:
        return Finding(subject, Verdict.SKIPPED, "not seen: Kafka does not answer")
    if topic.refusal:
        return Finding(subject, Verdict.WRONG, topic.refusal)
    if not topic.partitions:
        return Finding(
            subject,
            Verdict.MISSING,
            "there is no such topic: create it; the connector creates none",
        )
    partitions = _count(topic.partitions, "partition")
    if topic.leaderless:
        detail = f"{partitions}, of which {topic.leaderless} without a leader: wait for the brokers"
        return Finding(subject, Verdict.WRONG, detail)
    return Finding(subject, Verdict.OK, partitions)


# TikTok


def _destination(
    destination: DestinationSettings, account: Account, audiences: dict[str, str]
) -> Iterator[Finding]:
    name, advertiser = destination.name, destination.advertiser_id
    yield _answered(f"token of {name}", account.token, "TikTok accepts it")
    subject = f"advertiser {advertiser} of {name}"
    listed = isinstance(account.listing, Delivered)
    if account.listing is None:
        yield Finding(subject, Verdict.SKIPPED, "not seen: see the token")
    else:
        good = "the token may manage its audiences (scope Audience Management)"
        yield _answered(subject, account.listing, good)
    for audience_id, segment in audiences.items():
        subject = f"audience {audience_id} of {name}"
        seen = account.audiences.get(audience_id)
        if seen is None:
            where = "the advertiser" if account.listing and not listed else "the token"
            yield Finding(subject, Verdict.SKIPPED, f"not seen: see {where}")
        elif isinstance(seen, Audience):
            yield Finding(subject, Verdict.OK, f"segment {segment}; {_size(seen)}")
        else:
            yield _answered(subject, seen, "")


def _size(audience: Audience) -> str:
    """For information: a new audience is small and takes its time, and is fed all the same."""
    named = f"{audience.name!r}, " if audience.name else ""
    users = audience.matched_users
    matched = "matched users not told" if users is None else f"{users:,} matched users"
    if users is not None and users < _USABLE_FROM:
        matched += f" (usable for ads from {_USABLE_FROM:,}; matching takes 24 to 48 hours)"
    valid = "" if audience.is_valid is not False else ", not valid yet or expired"
    return f"{named}{matched}{valid}"


def _answered(subject: str, outcome: Outcome, good: str) -> Finding:
    if isinstance(outcome, Delivered):
        return Finding(subject, Verdict.OK, good)
    verdict = Verdict.MISSING if outcome.reason in _GONE else Verdict.WRONG
    words = _REFUSALS.get(outcome.reason, f"TikTok refuses it: {outcome.reason}")
    response = outcome.response
    if response.code is not None:
        words += f" (code {response.code})"
    elif response.http_status is not None:
        words += f" (HTTP {response.http_status})"
    return Finding(subject, verdict, words)


_GONE = frozenset({"audience_missing", "advertiser_missing", "account_missing"})

_LATER = "TikTok is in trouble: try again later"

_REFUSALS = {
    "token_refused": "TikTok refuses the token: give it a new one by its file or variable",
    "token_malformed": "the token has characters that no HTTP header takes: was it copied whole?",
    "no_permission": "no permission: the token needs the scope Audience Management and this advertiser's consent,"
    " by a user whose role there is Ad Account Operator or Admin",
    "audience_missing": "there is no such audience of this advertiser: see audience_id in routes",
    "advertiser_missing": "there is no such advertiser: see advertiser_id in destinations",
    "not_allow_listed": "TikTok has not admitted the app or the advertiser to this API: ask its support",
    "timeout": "TikTok did not answer in time: see tiktok.base_url and the way to it",
    "connection": "no connection to TikTok: see tiktok.base_url and the way to it",
    "wrong_path": "nothing is there: see tiktok.base_url",
    "rate_limited": "the app makes too many calls at present: try again later",
    "advertiser_rate_limited": "too many calls for this advertiser at present: try again later",
    "tiktok_error": _LATER,
    "http_error": _LATER,
    "not_an_envelope": "what answers does not speak TikTok's API: see tiktok.base_url and any proxy",
}


# Output


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _print(findings: Sequence[Finding], output: str) -> None:
    if output == "json":
        print(json.dumps([one._asdict() for one in findings], indent=2, ensure_ascii=False))
        return
    verdicts = max(len(one) for one in Verdict)
    subjects = max(len(one.subject) for one in findings)
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for one in findings:
        verdict = f"{one.verdict:<{verdicts}}"
        if is_coloured:
            verdict = f"\x1b[{_COLOURS[one.verdict]}m{verdict}\x1b[0m"
        rest = f"{one.subject:<{subjects}}  {one.detail}"
        # Names come from a file and from TikTok: a terminal gets no control characters of theirs.
        print(verdict, "".join(each if each.isprintable() else "?" for each in rest), sep="  ")
