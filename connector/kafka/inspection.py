"""Looks at a Kafka cluster from outside: who answers, and which topics there are. For `connector check`.

Joins no group, fetches and writes nothing. Topics are asked for by name with their creation forbidden: the usual
question for metadata makes the topic it names on brokers that create topics automatically. Says what it saw;
what that means for the configuration is not its business.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka import errors
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from connector.errors import KafkaUnavailable
from connector.kafka.security import Security

_CLOSE_SECONDS = 2.0


class Topic(NamedTuple):
    """A topic as the cluster tells it.

    Attributes:
        partitions: how many there are; 0 for a topic that is missing.
        leaderless: how many of them nobody serves at present.
        refusal: why nothing is known of it; None for a topic that is there or missing.
    """

    partitions: int = 0
    leaderless: int = 0
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was seen.

    Attributes:
        servers: the configured addresses, each with why it cannot be used, or None.
        brokers: the addresses that the cluster tells its clients to use, likewise.
        topics: by name, all that were asked for; empty when no server answered.
        refusal: why a server that was reached did not tell of the topics.
    """

    servers: dict[str, str | None]
    brokers: dict[str, str | None]
    topics: dict[str, Topic]
    refusal: str | None = None


async def inspect(
    servers: Sequence[str], security: Security, topics: Sequence[str], timeout: float
) -> Cluster:
    """Ask the servers, and the brokers that these name. Never raises for what Kafka or the network does.

    Args:
        timeout: in seconds, for reaching all servers, for their answer, and for reaching all brokers: each.
    """
    reached = await _reach(servers, security, timeout)
    seen: dict[str, str | None] = {
        server: one if isinstance(one, str) else None for server, one in reached.items()
    }
    connections = [one for one in reached.values() if not isinstance(one, str)]
    try:
        if not connections:
            return Cluster(seen, {}, {})
        request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
        try:
            answer = await asyncio.wait_for(connections[0].send(request), timeout)
        except (OSError, TimeoutError, errors.KafkaError) as error:
            return Cluster(seen, {}, {}, _why(error))
    finally:
        await _close(connections)
    metadata = answer.to_object()
    told = {_topic_name(one): _topic(one) for one in metadata["topics"]}
    advertised = [_address(one["host"], one["port"]) for one in metadata["brokers"]]
    unseen = [one for one in advertised if seen.get(one, "") is not None]
    brokers = dict.fromkeys(advertised) | await _try(unseen, security, timeout)
    return Cluster(seen, brokers, {name: told.get(name, Topic()) for name in topics})


async def _try(
    addresses: Sequence[str], security: Security, timeout: float
) -> dict[str, str | None]:
    reached = await _reach(addresses, security, timeout)
    await _close([one for one in reached.values() if not isinstance(one, str)])
    return {address: one if isinstance(one, str) else None for address, one in reached.items()}


async def _reach(addresses: Sequence[str], security: Security, timeout: float) -> dict[str, Any]:
    """By address a connection that is logged in, or why there is none."""
    tries = [_connect(address, security, timeout) for address in addresses]
    return dict(zip(addresses, await asyncio.gather(*tries), strict=True))


async def _connect(address: str, security: Security, timeout: float) -> Any:
    ((host, port, _),) = collect_hosts([address])
    milliseconds = int(timeout * 1000)
    try:
        arguments = security.arguments()
        connecting = create_conn(host, port, request_timeout_ms=milliseconds, **arguments)
        return await asyncio.wait_for(connecting, timeout)
    except KafkaUnavailable as error:
        return str(error)
    except (OSError, TimeoutError, errors.KafkaError) as error:
        return _why(error)


async def _close(connections: Sequence[Any]) -> None:
    closing = [asyncio.ensure_future(connection.close()) for connection in connections]
    if closing:
        await asyncio.wait(closing, timeout=_CLOSE_SECONDS)


def _topic_name(one: dict[str, Any]) -> str:
    return str(one["topic"])


def _topic(one: dict[str, Any]) -> Topic:
    error = errors.for_code(one["error_code"])
    if error is errors.UnknownTopicOrPartitionError:
        return Topic()
    if error is errors.TopicAuthorizationFailedError:
        return Topic(refusal="this user may not see it: it needs the right DESCRIBE")
    if error not in (errors.NoError, errors.LeaderNotAvailableError):
        return Topic(refusal=f"the cluster tells nothing of it ({error.__name__})")
    partitions = one["partitions"]
    return Topic(len(partitions), sum(each["leader"] < 0 for each in partitions))


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _why(error: BaseException) -> str:
    """What went wrong in words; a library's own could repeat what it was given."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, socket.gaierror):
        return f"the name is not known ({error.strerror})"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else "it cannot be reached"
    if isinstance(error, _LOGIN_ERRORS):
        return "it refuses the username, the password or the mechanism"
    if isinstance(error, errors.KafkaConnectionError):
        return "it closed the connection: perhaps it speaks another security protocol"
    return type(error).__name__


_LOGIN_ERRORS = (
    errors.AuthenticationFailedError,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
)
