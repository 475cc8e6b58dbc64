"""The shapes of single values: what may stand at a key, and the words for what may not.

Knows neither where a key stands nor its neighbours. No message repeats the value it refuses.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

Target = Literal[
    "EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256", "AAID_SHA256", "IDFA_MD5", "AAID_MD5"
]

TARGETS: tuple[Target, ...] = (
    "EMAIL_SHA256",
    "PHONE_SHA256",
    "IDFA_SHA256",
    "AAID_SHA256",
    "IDFA_MD5",
    "AAID_MD5",
)

# What other products call these targets.
TARGET_ALIASES: dict[str, Target] = {
    "email_lc_sha256": "EMAIL_SHA256",
    "phone_sha256_E.164": "PHONE_SHA256",
    "IDFA": "IDFA_SHA256",
    "GAID": "AAID_SHA256",
}

FROM_EVENT = "from_event"
"""In place of an audience's id: each event names its own."""

_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_DIGITS = re.compile(r"[0-9]{1,32}")


def _not_a_boolean(value: Any) -> Any:
    # Python takes true for 1.
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _digits(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('must be text: put quotes around the digits, like "7000000000000000001"')  # noqa: TRY004
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError('must be digits in quotes, like "7000000000000000001"')
    return value


def _digits_or_from_event(value: Any) -> Any:
    return value if value == FROM_EVENT else _digits(value)


def _jmespath(value: str) -> str:
    # Most configurations have no such path.
    from connector.formats.paths import problem_of  # noqa: PLC0415

    if (problem := problem_of(value)) is not None:
        raise ValueError(problem)
    return value


def _status_word(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value) or value in {".", ".."}:
        raise ValueError("must be 1 to 249 letters, digits, dots, dashes or underscores")
    return value


def _host_and_port(entry: str) -> bool:
    host, colon, port = entry.rpartition(":")
    return bool(
        colon
        and _HOST.fullmatch(host)
        and port.isascii()
        and port.isdigit()
        and len(port) <= 5
        and 0 < int(port) < 65_536
    )


def _bootstrap_servers(value: Any) -> tuple[str, ...]:
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not entries:
        raise ValueError("must be host:port, several separated by commas or as a list")
    servers = []
    for number, entry in enumerate(entries, 1):
        server = entry.strip() if isinstance(entry, str) else ""
        if not _host_and_port(server):
            what = "" if len(entries) == 1 else f"entry {number} "
            raise ValueError(f"{what}must be host:port without a scheme, like broker-1:9092")
        servers.append(server)
    return tuple(servers)


def _canonical_target(value: Any) -> Any:
    return TARGET_ALIASES.get(value, value) if isinstance(value, str) else value


def _region(value: str) -> str:
    # Its tables are large, and only those who name a region need them.
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415

    if value not in SUPPORTED_REGIONS:
        raise ValueError("must be a region of ISO 3166 in capitals, like US")
    return value


def _name(value: str) -> str:
    # Two ways to write one name would be a rule that does not hold.
    if not (name := value.strip().casefold()):
        raise ValueError("must not be empty")
    return name


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"entry {number + 1} is there already")
    return values


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("must have at least one entry")
    return values


def _path(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty: give the path of a file")
    return value


def _split_url(value: str) -> SplitResult | None:
    try:
        url = urlsplit(value)
        # A port out of range raises only when it is read.
        usable = url.hostname and url.port != 0 and value.isascii() and value.isprintable()
    except ValueError:
        return None
    return url if usable and " " not in value else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(value: str) -> str:
    url = _split_url(value)
    if url is None or url.scheme not in {"http", "https"}:
        raise ValueError("must be a URL like https://business-api.tiktok.com/open_api/v1.3")
    if "@" in url.netloc or "?" in value or "#" in value:
        raise ValueError("must be a URL without user, query and fragment")
    if url.scheme == "http" and not _is_loopback(url.hostname or ""):
        raise ValueError("must be https: plain http is for a loopback address alone")
    return value.rstrip("/")


NotBoolean = BeforeValidator(_not_a_boolean)
Text = Annotated[str, Field(min_length=1)]
# A day, so that no timer is asked for more than it can do.
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False), NotBoolean]
SecondsOrNone = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False), NotBoolean]
Count = Annotated[int, Field(ge=1), NotBoolean]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,32}$"), BeforeValidator(_digits)]
DigitsOrFromEvent = Annotated[
    str,
    Field(json_schema_extra={"pattern": rf"^([0-9]{{1,32}}|{FROM_EVENT})$"}),
    BeforeValidator(_digits_or_from_event),
]
JmesPath = Annotated[Text, AfterValidator(_jmespath)]
StatusWords = Annotated[
    tuple[
        Annotated[
            Any,
            BeforeValidator(_status_word),
            WithJsonSchema({"type": ["string", "number", "boolean"]}),
        ],
        ...,
    ],
    Field(min_length=1),
]
Topic = Annotated[
    str, Field(json_schema_extra={"pattern": r"^[A-Za-z0-9._-]{1,249}$"}), AfterValidator(_topic)
]
BootstrapServers = Annotated[
    tuple[str, ...],
    BeforeValidator(_bootstrap_servers),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
TargetName = Annotated[
    Target,
    BeforeValidator(_canonical_target),
    WithJsonSchema({"type": "string", "enum": [*TARGETS, *TARGET_ALIASES]}),
]
Region = Annotated[str, Field(json_schema_extra={"pattern": "^[A-Z]{2}$"}), AfterValidator(_region)]
Purposes = Annotated[
    tuple[Text, ...], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(_distinct)
]
Names = Annotated[
    tuple[Annotated[Text, AfterValidator(_name)], ...],
    Field(json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]
SomeNames = Annotated[
    Names,
    Field(json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_not_empty),
]
File = Annotated[Path, BeforeValidator(_path)]
BaseUrl = Annotated[str, Field(json_schema_extra={"format": "uri"}), AfterValidator(_base_url)]
