"""What a reason means, and what to do about it: every reason for which calls wait or are halted, in plain words.

Owns the words, as data. Which answer has which reason is connector.tiktok.protocol's; a test holds the two together.
"""

from typing import NamedTuple

from connector.delivery.settlement import REJECTS_ALL


class Advice(NamedTuple):
    """Two sentences for whoever looks at the status."""

    meaning: str
    remedy: str


_BY_ITSELF = "Nothing: the changes are sent again by themselves."

ADVICE: dict[str, Advice] = {
    "token_refused": Advice(
        "TikTok refuses the access token: it has expired, was revoked, or is not of this app.",
        "Put a new token into the destination's access_token_file. It is noticed within seconds.",
    ),
    "token_malformed": Advice(
        "The access token holds characters that cannot stand in an HTTP header, so TikTok was not asked.",
        "Copy the token anew, as a whole, into the destination's access_token_file.",
    ),
    "no_permission": Advice(
        "TikTok says that the token may not do this.",
        "The token needs the scope Audience Management and a user whose role is Ad Account Operator or Admin; the"
        " audience must belong to this advertiser.",
    ),
    "audience_missing": Advice(
        "TikTok has no such audience: it was deleted, or the id is wrong.",
        "Correct audience_id in the route, or take the route out: the configuration is read again by itself.",
    ),
    "advertiser_missing": Advice(
        "TikTok has no such advertiser.",
        "Correct advertiser_id of the destination, and restart.",
    ),
    "account_missing": Advice(
        "TikTok has no such account.",
        "Correct advertiser_id of the destination, and restart.",
    ),
    "not_allow_listed": Advice(
        "TikTok has not admitted the app or the advertiser to this API.",
        "Ask TikTok's support to admit the app. It goes on by itself then.",
    ),
    "region_refused": Advice(
        "TikTok does not serve the country of this network.",
        "Let the connector reach TikTok from a country that it serves.",
    ),
    "api_unavailable": Advice(
        "What answers at tiktok.base_url has no such call.",
        "Correct tiktok.base_url, and restart.",
    ),
    "wrong_path": Advice(
        "Nothing is there at tiktok.base_url: HTTP 404.",
        "Correct tiktok.base_url, or the proxy on the way, and restart.",
    ),
    REJECTS_ALL: Advice(
        "TikTok rejects every row for this audience: the fault is the audience's, not the rows'.",
        "Look at the audience in TikTok Ads Manager: its type, its state and its owner. It is tried again by itself.",
    ),
    "audience_busy": Advice("TikTok is processing the audience.", _BY_ITSELF),
    "not_ready": Advice("TikTok is not ready for this audience yet.", _BY_ITSELF),
    "write_conflict": Advice("TikTok was writing to this audience already.", _BY_ITSELF),
    "fetch_failed": Advice("TikTok could not read what it needed.", _BY_ITSELF),
    "too_many_ids": Advice(
        "TikTok found the call too large: calls have been made smaller.", _BY_ITSELF
    ),
    "rate_limited": Advice(
        "TikTok says that the app makes too many calls.",
        "Nothing at once: calls get slower by themselves. If other programs use the app, lower tiktok.rate_limit.share.",
    ),
    "advertiser_rate_limited": Advice(
        "TikTok says that there are too many calls for this advertiser.", _BY_ITSELF
    ),
    "source_rate_limited": Advice(
        "TikTok says that there are too many calls for this audience.", _BY_ITSELF
    ),
    "tiktok_error": Advice(
        "TikTok has an error of its own.",
        "Nothing at once: it is tried again. If it lasts for hours, ask TikTok's support.",
    ),
    "unknown_code": Advice(
        "TikTok answers with a code that is not documented.",
        "Nothing at once: it is tried again. The code stands in the log; report it.",
    ),
    "http_error": Advice(
        "TikTok, or a proxy on the way, answers with HTTP 5xx.",
        "Nothing at once: it is tried again. If it lasts, look at the way to TikTok.",
    ),
    "not_an_envelope": Advice(
        "What answers does not speak TikTok's API.",
        "Look at tiktok.base_url and at any proxy on the way.",
    ),
    "timeout": Advice(
        "TikTok does not answer in time.",
        "Look at the network's way to TikTok. It is tried again by itself.",
    ),
    "connection": Advice(
        "There is no connection to TikTok.",
        "Look at DNS, at the firewall and at any proxy on the way. It is tried again by itself.",
    ),
}
