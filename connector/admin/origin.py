"""Whether a browser made a request for a page of ours, or for somebody else's.

A cookie goes along with requests that other sites cause; what they change must not follow from it alone. Pure.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

PAGE_HEADER = "X-Connector-Page"
"""Our page sets it. Another site's page cannot without being asked for by a preflight, which is never answered."""


def is_ours(headers: Mapping[str, str]) -> bool:
    """Whether the request was made by a page of this very host and port.

    Browsers say so in Sec-Fetch-Site, which no script can set: over https, and to the local machine. Over plain
    http they leave it out; then Origin, which stands in every POST, must name the host that was asked. Neither of
    them is a browser of these years, and is refused.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(headers.get("Origin", ""))
    except ValueError:
        return False
    return bool(origin.netloc) and origin.netloc == headers.get("Host")
