"""Every log line of the service: its level, its name, its keys, what it means. The one place where a line is catalogued.

Owns the names and what may stand beside them: a key that is not here is dropped before a line is written. Says
nothing itself; connector.telemetry.events does. docs/logs.md shows these tables.
"""

from enum import StrEnum
from typing import NamedTuple


class Shape(StrEnum):
    """What the value of a key is; anything else is masked."""

    NUMBER = "number"
    TEXT = "text"
    """A configured name, a word of a closed list, or a sentence of ours."""
    TEXTS = "list of texts"
    ID = "digits"
    """The id of an account or audience at TikTok."""
    REQUEST_ID = "letters and digits"
    """TikTok's id of a call."""


class Key(NamedTuple):
    """What may stand beside the name of a line."""

    shape: Shape
    meaning: str


class Line(NamedTuple):
    """A log line.

    Attributes:
        event: its name, a constant.
        keys: those of KEYS that it has, or may have.
    """

    level: str
    event: str
    keys: tuple[str, ...]
    meaning: str


_AUDIENCE = "destination audience"
_BATCH = f"{_AUDIENCE} action rows"
_RESPONSE = "http_status code request_id"


def _debug(event: str, keys: str, meaning: str) -> Line:
    return Line("debug", event, tuple(keys.split()), meaning)


def _info(event: str, keys: str, meaning: str) -> Line:
    return Line("info", event, tuple(keys.split()), meaning)


def _warning(event: str, keys: str, meaning: str) -> Line:
    return Line("warning", event, tuple(keys.split()), meaning)


def _error(event: str, keys: str, meaning: str) -> Line:
    return Line("error", event, tuple(keys.split()), meaning)


def _critical(event: str, keys: str, meaning: str) -> Line:
    return Line("critical", event, tuple(keys.split()), meaning)


_LIFE = (
    _info("starting", "version topics destinations", "The configuration is accepted."),
    _warning(
        "waiting for kafka",
        "why",
        "Brokers or topics are not there yet. It is tried again each second, up to `kafka.startup_timeout_seconds`.",
    ),
    _info(
        "running",
        "admin_port",
        "Kafka is reached and every task runs. Partitions are assigned next.",
    ),
    _info("secret renewed", "of", "A secret's file has a new value, which is used from now on."),
    _info("stopping", "why", "No record is taken in any more; what is pending is delivered."),
    _info(
        "stopped",
        "undelivered_changes",
        "The last line of a clean stop. What was not delivered is read again by the next owner.",
    ),
    _critical(
        "standing still: the process ends",
        "what seconds",
        "Polls, commits or endings do not move though Kafka answers. A restart goes on from the last commit; report it.",
    ),
    _critical(
        "the event loop is stuck: the process ends",
        "seconds where",
        "Something held the event loop, and `where` says what. A restart goes on from the last commit; report it.",
    ),
    _critical(
        "internal error", "", "A fault of ours ended the process. Report it with `error_at`."
    ),
    _error(
        "ignored error",
        "",
        "A fault in a thread, or in what Python cleans up. Nothing depends on it.",
    ),
    _error(
        "a log line could not be written",
        "",
        "A fault of ours, or of the library in `logger`: report it.",
    ),
)

_INTAKE = (
    _info("partitions assigned", "partitions share", "A rebalance gave these."),
    _info("partitions revoked", "partitions", "A rebalance takes these: they are drained first."),
    _warning(
        "invalid records set aside",
        "topic partition first_offset records",
        "Records of one poll became dead letters. `connector explain` says why, of each.",
    ),
    _info(
        "intake paused",
        "pending_rows blocked_rows pending_letters",
        "As much is pending as may be: nothing is read until half of it is delivered.",
    ),
    _info("intake resumed", "pending_rows", "Reading goes on."),
    _warning(
        "a blocked audience holds the intake: mend it, or let its route say when_blocked: dead_letter",
        f"{_AUDIENCE} reason pending_rows",
        "Nothing is read, for this audience's changes cannot be sent and are at their bound.",
    ),
    _warning(
        "partition paused: too many records are read beyond what may be committed",
        "topic partition uncommitted_records",
        "A change of this partition does not end; `delivery.max_uncommitted_records` are behind it.",
    ),
    _info("partition resumed", "topic partition", "It is at half of that bound."),
    _error(
        "the committed offset is out of range: records may have been deleted unread;"
        " going on from the earliest",
        "topic partition",
        "Kafka deleted what was not read yet, or the topic was made anew.",
    ),
    _debug("offsets committed", "partition_count", "The broker acknowledged a commit."),
    _warning(
        "offset commit failed", "why", "It is tried again in `kafka.commit_interval_seconds`."
    ),
)

_PEOPLE = (
    _info("suppression list loaded", "profiles seconds", "The suppression topic was read whole."),
    _warning(
        "the suppression topic is not what it was: it is read again from its beginning",
        "",
        "It was deleted or cut. What is known stays in force meanwhile.",
    ),
    _info(
        "people were suppressed: their identifiers are deleted from every audience",
        "partition entries",
        "New entries of the suppression topic are in force.",
    ),
    _warning(
        "no call is started: kafka has not confirmed lately that the suppression list is whole",
        "",
        "Changes wait until it has.",
    ),
)

_CONFIGURATION = (
    _info(
        "configuration applied",
        "routes_added routes_removed routes_changed routes removed_from keys",
        "The configuration on disk has changed, and runs from now on. See [reload.md](reload.md).",
    ),
    _info("configuration unchanged", "", "It was read again, and says what runs already."),
    _error(
        "configuration refused: the earlier one stays in force",
        "problems more",
        "What is on disk is wrong, or needs a restart. Nothing of it was taken up.",
    ),
    _critical(
        "the policy denies routes that run: take them out of the configuration, or stop",
        "problems more",
        "The policy on disk is against what is being sent. It goes on until somebody acts.",
    ),
)

_ACCESS = (
    _warning(
        "request refused",
        "reason path who",
        "Somebody asked for what they may not have. `reason` is `unauthenticated`, `forbidden` or `cross_site`.",
    ),
    _info("operation", "who operation outcome", "Somebody paused, resumed or flushed."),
    _info("signed in", "who", "A browser got a session for this token."),
    _info("signed out", "who", "A session was ended by who had it."),
    _error(
        "the new token is not taken: the old one stays",
        "who why",
        "The file of `admin.tokens[]` holds a token that cannot be one.",
    ),
)

_DELIVERY = (
    _debug("batch delivered", _BATCH, "TikTok accepted a call."),
    _warning(
        "delivered with a warning",
        f"{_AUDIENCE} reason {_RESPONSE}",
        "TikTok accepted a call, and said something beside it.",
    ),
    _warning(
        "batch will be sent again",
        f"{_BATCH} reason wait_seconds {_RESPONSE}",
        "A call failed; its rows are back in their lane.",
    ),
    _warning(
        "batch rejected",
        f"{_BATCH} reason {_RESPONSE}",
        "TikTok refuses a call. Which rows are to blame is found out, and only these are set aside.",
    ),
    _warning(
        "tiktok limits the rate of calls",
        "calls_per_second pause_seconds",
        "TikTok says that the app makes too many calls: they get slower.",
    ),
    _warning(
        "no call is started: kafka has not confirmed lately that our partitions are ours",
        "",
        "Changes wait until the group answers a heartbeat.",
    ),
    _error(
        "audience halted: its changes wait until it is mended",
        f"{_AUDIENCE} reason {_RESPONSE}",
        "TikTok refuses this audience. It is tried again by itself.",
    ),
    _info("audience resumed", _AUDIENCE, "TikTok accepts its calls again."),
    _error(
        "destination halted: its changes wait until it is mended",
        f"destination reason {_RESPONSE}",
        "TikTok refuses this account: the token, its permission or the account.",
    ),
    _info("destination resumed", "destination", "TikTok accepts its calls again."),
    _warning(
        "changes of a blocked audience set aside",
        f"{_AUDIENCE} reason changes",
        "They became dead letters, as the route's `when_blocked` says.",
    ),
    _warning(
        "tiktok found a call too large: calls get smaller",
        "max_rows",
        "For the rest of this run. Lower `delivery.max_rows`.",
    ),
    _warning(
        "dead letters cannot be written: nothing is lost, and nothing more is committed",
        "why letters wait_seconds",
        "The dead-letter topic is not there, not allowed, or its brokers are away.",
    ),
    _info(
        "tiktok does not say how many users it matched",
        f"destination reason {_RESPONSE}",
        "`tiktok_connector_audience_matched_users` keeps its last value for two hours. Delivery is not concerned.",
    ),
)

SECTIONS = {
    "The process": _LIFE,
    "Records, partitions and commits": _INTAKE,
    "People": _PEOPLE,
    "Calls": _DELIVERY,
    "The configuration": _CONFIGURATION,
    "The HTTP side": _ACCESS,
}
"""Under headings, as the document shows them."""

LINES = {line.event: line for some in SECTIONS.values() for line in some}

ANY_KEYS = {
    "timestamp": Key(Shape.TEXT, "when, in UTC"),
    "level": Key(Shape.TEXT, "`debug`, `info`, `warning`, `error` or `critical`"),
    "event": Key(Shape.TEXT, "the line's name; of a library, its message, masked"),
    "logger": Key(Shape.TEXT, "which library's line it is; absent of our own"),
    "error_type": Key(Shape.TEXT, "the type of an error"),
    "error_at": Key(Shape.TEXTS, "where it was raised, as `file:line function`, outermost first"),
    "suppressed": Key(Shape.NUMBER, "how many lines like this one were left out before it"),
    "dropped_keys": Key(Shape.NUMBER, "how many keys were left out because no table names them"),
}
"""What any line may have."""

SOME_KEYS = {
    "action": Key(Shape.TEXT, "`add` or `delete`"),
    "admin_port": Key(Shape.NUMBER, "where /status is"),
    "audience": Key(Shape.ID, "the audience's id at TikTok"),
    "blocked_rows": Key(Shape.NUMBER, "pending changes of blocked audiences"),
    "calls_per_second": Key(Shape.NUMBER, "the pace from now on"),
    "changes": Key(Shape.NUMBER, "how many changes"),
    "code": Key(Shape.NUMBER, "TikTok's code in the answer"),
    "destination": Key(Shape.TEXT, "`destinations[].name`"),
    "destinations": Key(Shape.TEXTS, "all of them"),
    "entries": Key(Shape.NUMBER, "of the suppression topic"),
    "first_offset": Key(Shape.NUMBER, "of the first of these records"),
    "http_status": Key(Shape.NUMBER, "of the answer"),
    "keys": Key(Shape.TEXTS, "paths of keys that have another value"),
    "letters": Key(Shape.NUMBER, "dead letters that wait"),
    "max_rows": Key(Shape.NUMBER, "the most rows of a call from now on"),
    "more": Key(Shape.NUMBER, "how many problems are not listed"),
    "of": Key(Shape.TEXT, "`destinations[].name`, or `kafka`"),
    "operation": Key(Shape.TEXT, "`pause`, `resume` or `flush`"),
    "outcome": Key(Shape.TEXT, "what came of it"),
    "partition": Key(Shape.NUMBER, "its number"),
    "partition_count": Key(Shape.NUMBER, "how many partitions"),
    "partitions": Key(Shape.TEXTS, "as `topic:number`"),
    "path": Key(Shape.TEXT, "of the request, one of ours"),
    "pause_seconds": Key(Shape.NUMBER, "how long no call is made at all"),
    "pending_letters": Key(Shape.NUMBER, "dead letters that the broker has not acknowledged"),
    "pending_rows": Key(Shape.NUMBER, "changes that have not ended"),
    "problems": Key(Shape.TEXTS, "what is wrong, with the path of each key"),
    "profiles": Key(Shape.NUMBER, "on the suppression list"),
    "reason": Key(Shape.TEXT, "a word of [dead-letters.md](dead-letters.md)"),
    "records": Key(Shape.NUMBER, "how many records"),
    "removed_from": Key(
        Shape.TEXTS, "paths of routes that were taken out, in the earlier configuration"
    ),
    "request_id": Key(Shape.REQUEST_ID, "TikTok's id of the call, for TikTok's support"),
    "routes": Key(Shape.TEXTS, "paths of routes that are new or other"),
    "routes_added": Key(Shape.NUMBER, "how many"),
    "routes_changed": Key(Shape.NUMBER, "how many"),
    "routes_removed": Key(Shape.NUMBER, "how many"),
    "rows": Key(Shape.NUMBER, "rows of the call"),
    "seconds": Key(Shape.NUMBER, "how long it took, or lasted"),
    "share": Key(Shape.NUMBER, "the part of the app's allowance that this replica may use"),
    "topic": Key(Shape.TEXT, "its name"),
    "topics": Key(Shape.TEXTS, "those that are read"),
    "uncommitted_records": Key(Shape.NUMBER, "read beyond what may be committed"),
    "undelivered_changes": Key(Shape.NUMBER, "accepted, and not ended"),
    "version": Key(Shape.TEXT, "of the connector"),
    "wait_seconds": Key(Shape.NUMBER, "until it is tried again"),
    "what": Key(Shape.TEXT, "what stands still"),
    "where": Key(Shape.TEXT, "places in the code, innermost first"),
    "who": Key(Shape.TEXT, "`admin.tokens[].name`, or `somebody`"),
    "why": Key(Shape.TEXT, "a sentence of ours"),
}

KEYS = {**ANY_KEYS, **SOME_KEYS}
"""Every key that any line may have."""
