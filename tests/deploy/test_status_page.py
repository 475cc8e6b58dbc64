"""The page for people in a real browser, over a real connector: what it shows, what it lets do, and to whom."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
)

from connector.sandbox.generator import segment_names
from tests.deploy.stage import OPERATE, VIEW, Stage, chromium, sign_in, staged
from tests.end_to_end.deployment import free_port, until
from tests.kafka_broker import Cluster

pytestmark = pytest.mark.deploy

HOSTILE = '<img src=x onerror="document.title=1">'
SEGMENTS = [*segment_names(5), HOSTILE]
PATIENCE = 15_000  # milliseconds, for what takes two seconds
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, broker: Cluster) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage"), broker, SEGMENTS) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def open_page(browser: Browser, stage: Stage) -> Iterator[Callable[..., Page]]:
    """Sign in with a token, in a browser of one's own. At the end, nothing may have been complained of."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Answers that refuse, or do not come, are what some of the tests are about.
        is_answer = message.text.startswith("Failed to load resource")
        if message.type in {"error", "warning"} and not is_answer:
            complaints.append(message.text)

    def make(token: str = VIEW, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(PATIENCE)
        context.on("console", hear)
        context.on("weberror", lambda one: complaints.append(str(one.error)))
        contexts.append(context)
        return sign_in(context, stage.root, token)

    expect.set_options(timeout=PATIENCE)
    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def lane(page: Page, segment: str) -> Any:
    return page.locator("#lanes tbody tr").filter(has=page.get_by_text(segment, exact=True))


# Who sees it


def test_a_stranger_gets_a_form_and_a_wrong_token_gets_it_again(
    browser: Browser, stage: Stage
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(stage.root)
    expect(page.get_by_label("Token")).to_be_focused()
    assert page.locator("#lanes").count() == 0

    page.keyboard.type("a-token-that-nobody-has")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not known here.")
    assert "nobody-has" not in page.url
    context.close()


def test_signing_in_leaves_no_token_behind_and_signing_out_no_session(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page(OPERATE)
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert cookie["value"] != OPERATE
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert page.evaluate("document.cookie") == ""
    assert page.url == f"{stage.root}/"

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.context.cookies() == []
    page.goto(stage.root)
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_link_on_another_site_leads_to_the_page_and_not_to_the_form(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page()
    page.goto("data:text/html,<a href='" + stage.root + "/'>to the connector</a>")
    page.get_by_role("link").click()
    expect(page.locator('#following[data-state="live"]')).to_be_visible()


def test_a_session_that_has_ended_leads_to_the_form(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.context.clear_cookies()
    expect(page.get_by_label("Token")).to_be_visible()


# What it shows


def test_it_shows_what_runs_and_follows_it(open_page: Callable[..., Page], stage: Stage) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_have_text("Running")
    expect(page.locator("#version")).to_have_text(stage.status()["version"])
    expect(page.locator("#who")).to_have_text("marketing, may view")
    expect(page.locator("#lanes tbody tr")).to_have_count(len(SEGMENTS))
    expect(page.locator("#partitions tbody tr")).to_have_count(4)
    expect(page.locator("#destinations tbody tr")).to_have_text(re.compile("emea.*Open", re.DOTALL))
    expect(page.locator("#letters tbody tr").first).to_contain_text(stage.deployment.topic)
    expect(page.locator("#records")).not_to_have_text(re.compile("^.?$"))

    position = page.locator("#partitions tbody tr").first.locator("td").nth(1)
    before = position.inner_text()
    expect(position).not_to_have_text(before)
    updated = page.locator("#following")
    expect(updated).not_to_have_text(updated.inner_text())


def test_the_curves_can_be_read_without_being_seen(open_page: Callable[..., Page]) -> None:
    page = open_page()
    for name in ("Behind", "Flow", "Calls to TikTok"):
        drawing = page.get_by_role("img", name=re.compile(f"^{name} over the last 15 minutes"))
        expect(drawing).to_have_attribute("aria-label", re.compile("now .*lowest .*highest "))
    page.locator(".plot").nth(1).hover()
    expect(page.locator(".chart .reading").nth(1)).to_contain_text("a second")


def test_what_is_a_name_is_never_markup(open_page: Callable[..., Page]) -> None:
    page = open_page()
    expect(lane(page, HOSTILE)).to_be_visible()
    page.get_by_text("routes", exact=True).click()
    expect(page.locator("#configuration").get_by_text(HOSTILE, exact=True)).to_be_visible()
    assert page.title() != "1"
    assert page.locator("#main img").count() == 0


def test_the_configuration_is_shown_without_its_secrets(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page()
    for section in page.locator("#configuration summary").all():
        section.click()
    keys = page.locator("#configuration")
    expect(keys.get_by_text("destinations[0].access_token_file")).to_be_visible()
    text = keys.inner_text()
    assert str(stage.deployment.token_file) not in text
    assert "delivery.max_rows\n1000" in text
    assert "admin.tokens[1].token_file\nset" in text


def test_lanes_are_found_and_sorted(open_page: Callable[..., Page]) -> None:
    page = open_page()
    names = page.locator("#lanes tbody .strong")
    page.get_by_label("Find").fill("CHURN")
    expect(names).to_have_text(["churned"])
    page.get_by_label("Find").fill("nothing like it")
    expect(page.get_by_text("No audience has that name.")).to_be_visible()
    page.get_by_label("Find").fill("")
    expect(names).to_have_count(len(SEGMENTS))

    head = page.get_by_role("columnheader", name="Audience")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert names.all_inner_texts()[0] == HOSTILE
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert names.all_inner_texts()[-1] == HOSTILE


# Trouble, in words


def test_a_halted_audience_says_what_it_is_and_what_to_do(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_have_text("Running")
    stage.audience(0, "delete")
    row = lane(page, SEGMENTS[0])
    expect(row.locator(".state")).to_have_text("Halted")
    expect(row).to_contain_text("TikTok has no such audience: it was deleted, or the id is wrong.")
    expect(row).to_contain_text("What to do: Correct audience_id in the route")
    expect(row).to_contain_text("audience_missing")
    words = f"1 of {len(SEGMENTS)} audiences is halted"
    expect(page.get_by_role("heading", level=1)).to_have_text(words)
    expect(page.locator("#announcer")).to_have_text(words)
    assert page.title().startswith(f"■ {words}")
    assert lane(page, SEGMENTS[1]).locator(".state").inner_text() == "Open"
    assert page.locator("#lanes tbody .strong").first.inner_text() == SEGMENTS[0]  # the first row

    stage.audience(0, "restore")
    expect(page.get_by_role("heading", level=1)).to_have_text("Running", timeout=45_000)
    expect(row.locator(".state")).to_have_text("Open")


def test_a_refused_token_says_that_nothing_is_delivered(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page()
    stage.token("revoke")
    try:
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is delivered")
        row = page.locator("#destinations tbody tr")
        expect(row.locator(".state")).to_have_text("Halted")
        expect(row).to_contain_text("Put a new token into the destination's access_token_file.")
        expect(lane(page, SEGMENTS[0])).to_contain_text("with its destination")
    finally:
        stage.token("restore")
    expect(page.get_by_role("heading", level=1)).to_have_text("Running", timeout=45_000)


def test_a_lost_connection_is_told_with_its_time_and_so_is_its_return(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    rows = page.locator("#lanes tbody tr").count()
    page.context.set_offline(True)
    following = page.locator("#following")
    expect(following).to_have_text(
        re.compile(r"Connection lost since \d\d:\d\d:\d\d; next try in \d+ s")
    )
    expect(page.locator("#announcer")).to_contain_text("The connection is lost.")
    since = re.findall(r"\d\d:\d\d:\d\d", following.inner_text())
    expect(following).to_contain_text("next try in 4 s")  # it waits longer each time
    assert re.findall(r"\d\d:\d\d:\d\d", following.inner_text()) == since
    assert page.locator("#lanes tbody tr").count() == rows  # what was known stays

    page.context.set_offline(False)
    expect(following).to_have_text(re.compile("^Live, "))
    expect(page.locator("#announcer")).to_have_text("The connection is back.")


# Operations


def test_who_may_view_sees_no_button_and_a_request_of_theirs_is_refused(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page(VIEW)
    expect(page.locator("#operations")).to_be_hidden()
    ask = """async (headers) => (await fetch("/pause", {method: "POST", headers})).status"""
    assert page.evaluate(ask, {"X-Connector-Page": "1"}) == 403
    assert not stage.status()["intake"]["paused"]


def test_another_site_cannot_operate_with_a_persons_session(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    other = open_page(OPERATE).context.new_page()
    # Another port of this machine is the same site, so that even a strict cookie goes along.
    elsewhere = f"http://127.0.0.1:{free_port()}/"
    form = f'<form method="post" action="{stage.root}/pause"><button>Win a prize</button></form>'
    other.route(elsewhere, lambda route: route.fulfill(body=form, content_type="text/html"))
    other.goto(elsewhere)
    other.get_by_role("button").click()
    expect(other.locator("body")).to_contain_text('"error":"cross_site"')
    assert not stage.status()["intake"]["paused"]


def test_intake_is_paused_and_resumed_by_keyboard_and_not_without_asking_back(
    open_page: Callable[..., Page], stage: Stage
) -> None:
    page = open_page(OPERATE)
    pause = page.get_by_role("button", name="Pause intake").first
    dialog = page.get_by_role("dialog")
    pause.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    expect(dialog).to_have_accessible_name("Pause intake?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(pause).to_be_focused()
    assert not stage.status()["intake"]["paused"]

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_have_text("Intake is paused.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Intake is paused by on-call")
    assert stage.status()["intake"]["reasons"] == ["operator"]
    assert stage.deployment.total("intake_paused", reason="operator") == 1
    until(lambda: stage.status()["limits"]["pending_rows"] == 0, 30, "what was read")
    consumed = stage.deployment.total("records_consumed_total")
    page.wait_for_timeout(3000)
    assert stage.deployment.total("records_consumed_total") == consumed

    resume = page.get_by_role("button", name="Resume intake")
    expect(resume).to_be_focused()
    resume.click()
    dialog.get_by_role("button", name="Resume intake").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Running")
    total = stage.deployment.total
    until(lambda: total("records_consumed_total") > consumed, 10, "records")


def test_what_waits_is_sent_now(open_page: Callable[..., Page], stage: Stage) -> None:
    page = open_page(OPERATE)
    before = stage.deployment.total("batches_total", trigger="drain")
    page.get_by_role("button", name="Send now").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Send now").click()
    expect(page.locator("#outcome")).to_have_text("What waited is due now.")
    total = stage.deployment.total
    until(lambda: total("batches_total", trigger="drain") > before, 10, "calls")


# For everybody

CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text()


def unfold(page: Page) -> None:
    """Show the whole configuration."""
    for section in page.locator("#configuration summary").all():
        section.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page(OPERATE, color_scheme=scheme)
    unfold(page)
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        for level in ("ok", "notice", "trouble"):
            page.evaluate(
                "(one) => { document.getElementById('headline').dataset.level = one }", level
            )
            assert page.evaluate(CONTRASTS) == []
    for state in ("waiting", "halted"):
        page.evaluate(
            "(one) => document.querySelectorAll('.state').forEach((s) => { s.className = `state ${one}` })",
            state,
        )
        assert page.evaluate(CONTRASTS) == []
    page.get_by_role("button", name="Send now").first.click()
    assert page.evaluate(CONTRASTS) == []


def test_a_text_that_does_not_stand_out_would_be_found(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.evaluate("document.querySelector('h2#lanes-title').style.color = '#999'")
    (faint,) = page.evaluate(CONTRASTS)
    assert faint.startswith("Audiences: 2.")


def test_nothing_stands_out_sideways(open_page: Callable[..., Page]) -> None:
    page = open_page(OPERATE)
    unfold(page)
    for width in (320, 360, 600, 768, 1024, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate(
            "[...document.querySelectorAll('body, body *')].filter((e) => !e.closest('.unseen, svg')"
            " && e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 0.5)"
            ".map((e) => e.outerHTML.slice(0, 80))"
        )
        assert wide == [], width
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_its_structure_is_there_for_a_screen_reader(open_page: Callable[..., Page]) -> None:
    page = open_page(OPERATE)
    for role in ("banner", "main", "contentinfo", "search"):
        expect(page.get_by_role(role)).to_have_count(1)
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].filter((e) => e.checkVisibility()).map((e) => +e.tagName[1])"
    )
    assert (levels[0], set(levels[1:])) == (1, {2})

    tables = ["Audiences", "Destinations", "Dead letters by reason and topic", "Partitions"]
    for size in (DESKTOP, PHONE):  # where rows are laid out anew, they must stay rows
        page.set_viewport_size(size)
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
        nodes = [one for one in tree["nodes"] if not one["ignored"]]
        roles = [one["role"]["value"] for one in nodes]
        names = [one["name"]["value"] for one in nodes if one["role"]["value"] == "table"]
        assert [re.split("[:,]", name)[0] for name in names] == tables
        assert roles.count("rowheader") >= len(SEGMENTS) + 5
        assert roles.count("columnheader") >= 8
        assert roles.count("cell") >= 2 * len(SEGMENTS)
        for one in nodes:
            if one["role"]["value"] in {"button", "link", "searchbox", "textbox", "img", "meter"}:
                assert one["name"]["value"], f"a {one['role']['value']} has no name"


def test_everything_is_reached_and_seen_by_keyboard(open_page: Callable[..., Page]) -> None:
    page = open_page(OPERATE)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    page.reload()
    page.locator('#following[data-state="live"]').wait_for()
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "((e) => [e === document.body ? '' : e.innerText || e.id, getComputedStyle(e).outlineStyle])"
            "(document.activeElement)"
        )
        if not name:
            break
        reached.append(name.strip())
        assert outline != "none", f"{name} does not show its focus"
    assert reached[:4] == ["Skip to the content", "Sign out", "Pause intake", "Send now"]
    assert {"find", "Audience", "State", "kafka", "log", "/status", "/readyz"} <= set(reached)


def test_nothing_moves_for_who_wants_it_so(open_page: Callable[..., Page]) -> None:
    page = open_page(VIEW, reduced_motion="reduce")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s'"
        " || getComputedStyle(e).animationName !== 'none').length"
    )
    assert moving == 0
