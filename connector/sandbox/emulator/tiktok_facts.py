"""What is known of TikTok's Business API v1.3, as constants: paths, codes, identifier types, limits, texts.

Owns no behaviour but the one type that says "refused". Deliberately shares nothing with the software
under test: two programs that read one table of facts make the same mistake and agree about it.
"""

from enum import IntEnum
from typing import Final, NamedTuple

BASE_PATH: Final = "/open_api/v1.3"

USER_INFO: Final = "user/info"
MAPPING: Final = "segment/mapping"
SEGMENT_AUDIENCE: Final = "segment/audience"
AUDIENCE_LIST: Final = "dmp/custom_audience/list"
AUDIENCE_GET: Final = "dmp/custom_audience/get"

# Endpoint -> the only method it has.
ENDPOINTS: Final = {
    MAPPING: "POST",
    SEGMENT_AUDIENCE: "POST",
    USER_INFO: "GET",
    AUDIENCE_LIST: "GET",
    AUDIENCE_GET: "GET",
}

# The complete set of values of id_schema -> bytes of the digest. GAID_* belong to the file API, not here.
DIGEST_BYTES: Final = {
    "EMAIL_SHA256": 32,
    "PHONE_SHA256": 32,
    "IDFA_SHA256": 32,
    "AAID_SHA256": 32,
    "IDFA_MD5": 16,
    "AAID_MD5": 16,
}

MAX_ROWS: Final = (
    10_000  # Braze's published table of partner limits; TikTok's own number is not public
)
MAX_AUDIENCES: Final = 400  # per advertiser: Braze and Treasure Data agree
MAX_LISTED: Final = 100  # custom_audience_ids and page_size in TikTok's SDK
NAME_LENGTH: Final = 70  # a longer audience name is cut to 67 characters and "..."
MAX_BODY_BYTES: Final = 10 * 1024 * 1024  # TikTok's number is not known; this is generous


class Code(IntEnum):
    """The return codes that the emulator gives by itself; a fault may give any other."""

    OK = 0
    PARTIAL = 20001
    NO_PERMISSION = 40001
    BAD_PARAMETER = 40002
    NOT_FOUND = 40007
    TOO_MANY_IDS = 40011
    APP_TOO_FREQUENT = 40100
    TOKEN_MISSING = 40104
    TOKEN_INVALID = 40105
    ADVERTISER_TOO_FREQUENT = 40133


# Texts that TikTok answers with.
TEXT_40104: Final = "Access token is null, you should set it in http header with key Access-Token."
TEXT_40105: Final = "Access token is incorrect or has been revoked."


class Violation(NamedTuple):
    """A call that TikTok would refuse: the code and the message of the answer. Never quotes a digest."""

    code: int
    message: str


class Refused(Exception):  # noqa: N818
    """Unwinds a check to the function that promises a Violation; it never leaves the package."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.violation = Violation(code, message)


def malformed(where: str, what: str) -> Refused:
    """Return the refusal of a parameter, naming its position."""
    return Refused(Code.BAD_PARAMETER, f"{where}: {what}")


def id_type(spelling: str) -> str | None:
    """Return the identifier type that is meant, or None. TikTok takes any case."""
    upper = spelling.upper()
    return upper if spelling.isascii() and upper in DIGEST_BYTES else None
