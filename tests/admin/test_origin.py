"""Whether a request is a page of ours: by what browsers say, over https and over plain http."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.admin.origin import is_ours

HOST = "connector.example:8080"


@pytest.mark.parametrize(
    ("site", "origin", "ours"),
    [
        ("same-origin", None, True),
        ("same-origin", f"https://{HOST}", True),
        ("same-origin", "https://as-the-proxy-is-called.example", True),
        ("same-site", f"https://{HOST}", False),
        ("cross-site", f"https://{HOST}", False),
        ("none", f"https://{HOST}", False),
        ("", f"https://{HOST}", False),
        (None, f"http://{HOST}", True),
        (None, f"https://{HOST}", True),  # TLS ends before us
        (None, "http://connector.example", False),
        (None, "http://connector.example:80", False),
        (None, f"http://{HOST}.elsewhere.example", False),
        (None, "http://elsewhere.example", False),
        (None, f"http://elsewhere.example/{HOST}", False),
        (None, f"http://{HOST}@elsewhere.example", False),
        (None, "null", False),
        (None, "", False),
        (None, "http://[", False),
        (None, None, False),
    ],
)
def test_who_made_the_request(site: str | None, origin: str | None, *, ours: bool) -> None:
    headers = {"Host": HOST}
    headers |= {} if site is None else {"Sec-Fetch-Site": site}
    headers |= {} if origin is None else {"Origin": origin}

    assert is_ours(headers) is ours


def test_a_request_without_a_host_is_nobodys() -> None:
    assert not is_ours({"Origin": ""})
    assert not is_ours({})


@given(st.text(), st.text())
def test_any_text_is_judged(origin: str, host: str) -> None:
    assert is_ours({"Origin": origin, "Host": host}) in {True, False}
