"""The page's files and the headers around them: what a browser is told, and what the files may not hold.

How it looks and works is seen in a real browser: tests/deploy/test_status_page.py.
"""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.admin.site import VIEW, Site, bearer, on_a_site, two_tokens

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "connector" / "admin" / "page"
FILES = sorted(path.name for path in FOLDER.iterdir())

EVERYWHERE = (
    *("/", "/status", "/metrics", "/healthz", "/readyz", "/page.js", "/page.css", "/nothing"),
    *("/status?lanes=x", "/pause"),
)


@pytest.mark.parametrize("caller", ["", VIEW])
def test_every_answer_has_the_headers(caller: str) -> None:
    async def scenario(site: Site) -> None:
        for path in EVERYWHERE:
            headers = (await site.ask("GET", path, bearer(caller) if caller else {})).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "same-origin"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert "Server" not in headers
            assert "Access-Control-Allow-Origin" not in headers

    on_a_site(scenario, two_tokens())


def test_the_policy_allows_our_own_files_and_nothing_else() -> None:
    async def scenario(site: Site) -> None:
        policy = (await site.get("/")).headers["Content-Security-Policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

        assert rules == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }

    on_a_site(scenario)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_each_file_has_its_type(path: str, kind: str) -> None:
    async def scenario(site: Site) -> None:
        answer = await site.get(path)
        assert (answer.status, answer.kind) == (200, kind)

    on_a_site(scenario)


def test_every_file_that_a_file_asks_for_is_served() -> None:
    async def scenario(site: Site) -> None:
        asked = set()
        for name in FILES:
            text = (FOLDER / name).read_text()
            asked |= {f"/{one}" for one in re.findall(r'from "\./([\w.-]+)"', text)}
            if name.endswith(".html"):
                asked |= set(re.findall(r'(?:src|href)="(/[\w.-]*)"', text))
        assert {"/page.js", "/charts.js", "/sign-in.js", "/icon.svg"} <= asked
        for path in asked:
            assert (await site.get(path)).status == 200, path

    on_a_site(scenario)


@pytest.mark.parametrize("name", FILES)
def test_no_file_reaches_outside_or_takes_text_for_code(name: str) -> None:
    text = (FOLDER / name).read_text().replace("http://www.w3.org/2000/svg", "")

    assert not re.search(r"https?:|//\w+\.\w", text), "it comes from elsewhere"
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function"
        r"|srcdoc|javascript:|localStorage|sessionStorage|document\.cookie",
        text,
    )
    if name.endswith(".html"):
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", text), (
            "it is inline"
        )
    if name.endswith(".css"):
        assert "@import" not in text
        assert "url(" not in text


@pytest.mark.parametrize("name", [one for one in FILES if one.endswith(".html")])
def test_a_page_has_what_a_screen_reader_goes_by(name: str) -> None:
    text = (FOLDER / name).read_text()

    assert '<html lang="en">' in text
    assert "<title>" in text
    assert "<main" in text
    assert text.count("<h1") == 1
    assert 'name="viewport"' in text
    assert "user-scalable" not in text
    ids = re.findall(r'\sid="([\w-]+)"', text)
    assert len(ids) == len(set(ids))
    named = {
        one
        for found in re.findall(r'(?:aria-labelledby|aria-describedby|for)="([\w -]+)"', text)
        for one in found.split()
    }
    assert named <= set(ids)
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        assert "<caption" in table
    for head in re.findall(r"<th\b[^>]*>", text):
        assert 'scope="' in head


def test_every_id_that_a_script_looks_for_is_in_the_page() -> None:
    page = (FOLDER / "index.html").read_text()
    ids = set(re.findall(r'\sid="([\w-]+)"', page))
    wanted = {
        one
        for path in FOLDER.glob("*.js")
        for one in re.findall(r'byId\("([\w-]+)"\)', path.read_text())
    }
    assert len(wanted) > 20
    assert wanted <= ids


def test_the_files_are_small() -> None:
    """It is asked for by phones, and read by people."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 64_000
    assert all(len(path.read_text().splitlines()) < 300 for path in FOLDER.iterdir())


def test_they_are_in_the_package_that_is_installed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*command, "--directory", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {f"connector/admin/page/{name}" for name in FILES} <= names


def test_each_file_can_be_had_and_a_page_only_by_its_path() -> None:
    async def scenario(site: Site) -> None:
        for name in FILES:
            status = 404 if name.endswith(".html") else 200
            assert (await site.get(f"/{name}")).status == status, name

    on_a_site(scenario, two_tokens())
