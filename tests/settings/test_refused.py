"""Each wrong thing, with the path that its message must name."""

from pathlib import Path
from typing import Any

import pytest

from tests.settings.trees import changed, load_tree, problems_of, put, right

# changes to a right configuration, and the one line that must answer them
Case = tuple[dict[str, Any], str]

KEYS: list[Case] = [
    ({"kafka": ...}, "kafka: is required"),
    ({"destinations": ...}, "destinations: is required"),
    ({"routes": ...}, "routes: is required"),
    ({"routes": []}, "routes: must have at least one entry"),
    ({"routes": None}, "routes: must have at least one entry"),
    ({"routes": {"gold": "1"}}, "routes: must be a list"),
    ({"routes[0]": "gold"}, "routes[0]: must be a mapping"),
    ({"identities": []}, "identities: must have at least one entry"),
    ({"kafka.topics": []}, "kafka.topics: must have at least one entry"),
    ({"kafka.topics": ...}, "kafka.topics: is required"),
    ({"kafka.topics[0].name": ...}, "kafka.topics[0].name: is required"),
    ({"kafka.bootstrap_servers": ...}, "kafka.bootstrap_servers: is required"),
    ({"kafka.dead_letter_topic": ...}, "kafka.dead_letter_topic: is required"),
    ({"destinations[0].advertiser_id": ...}, "destinations[0].advertiser_id: is required"),
    ({"identities[0].source": ...}, "identities[0].source: is required"),
    ({"identities[0].target": ...}, "identities[0].target: is required"),
    ({"routes[1].segment": ...}, "routes[1].segment: is required"),
    ({"routes[1].destination": ...}, "routes[1].destination: is required"),
    ({"routes[1].audience_id": ...}, "routes[1].audience_id: is required"),
    ({"delivery.max_rowz": 5}, "delivery.max_rowz: unknown key; did you mean max_rows?"),
    ({"kafka.topcs": []}, "kafka.topcs: unknown key; did you mean topics?"),
    ({"routes[1].segmnt": "x"}, "routes[1].segmnt: unknown key; did you mean segment?"),
    ({"Delivery": {}}, "Delivery: unknown key; did you mean delivery?"),
    ({"xyz": 1}, "xyz: unknown key; valid here: kafka, tiktok, destinations"),
    ({"max_rows": 5}, "max_rows: unknown key here; did you mean delivery.max_rows?"),
    ({"delivery": {5: 5}}, "delivery.(int): a key must be text"),
    ({"log": {"level\nx": 5}}, "log.level?x: unknown key"),
]

VALUES: list[Case] = [
    ({"delivery.max_rows": 10_001}, "delivery.max_rows: must be at most 10000"),
    ({"delivery.max_rows": 0}, "delivery.max_rows: must be at least 1"),
    ({"delivery.max_rows": "many"}, "delivery.max_rows: must be a whole number"),
    ({"delivery.max_rows": 1.5}, "delivery.max_rows: must be a whole number"),
    ({"delivery.max_rows": True}, "delivery.max_rows: must be a number, not true or false"),
    ({"delivery.max_rows": [5]}, "delivery.max_rows: must be a whole number"),
    ({"delivery.max_rows": None}, "delivery.max_rows: has no value"),
    ({"delivery.drain_seconds": float("inf")}, "delivery.drain_seconds: must be"),
    ({"delivery.drain_seconds": float("nan")}, "delivery.drain_seconds: must be"),
    ({"delivery.linger_seconds": -1}, "delivery.linger_seconds: must be at least 0"),
    ({"delivery.max_in_flight": 0}, "delivery.max_in_flight: must be at least 1"),
    ({"tiktok.rate_limit.share": 0}, "tiktok.rate_limit.share: must be more than 0"),
    ({"tiktok.rate_limit.share": 1.1}, "tiktok.rate_limit.share: must be at most 1"),
    (
        {"tiktok.rate_limit.queries_per_second": 0},
        "tiktok.rate_limit.queries_per_second: must be more than 0",
    ),
    (
        {"tiktok.rate_limit.tier": "premum"},
        "tiktok.rate_limit.tier: must be one of basic, advanced, premium, ultimate; did you mean premium?",
    ),
    ({"admin.port": 65_536}, "admin.port: must be at most 65535"),
    ({"admin.host": 1.5}, "admin.host: must be text: put quotes around it"),
    ({"log.level": "INFO"}, "log.level: must be one of debug, info, warning, error; did you"),
    ({"log.format": "xml"}, "log.format: must be one of json, console"),
    ({"kafka.group_id": ""}, "kafka.group_id: must not be empty"),
    ({"kafka.auto_offset_reset": "none"}, "kafka.auto_offset_reset: must be one of earliest"),
    ({"kafka.topics[0].name": "a b"}, "kafka.topics[0].name: must be 1 to 249 letters"),
    ({"kafka.topics[0].name": ".."}, "kafka.topics[0].name: must be 1 to 249 letters"),
    ({"kafka.topics[1].format": "nativ"}, "kafka.topics[1].format: must be one of native"),
    ({"kafka.bootstrap_servers": "localhost"}, "kafka.bootstrap_servers: must be host:port"),
    ({"kafka.bootstrap_servers": "kafka://a:1"}, "kafka.bootstrap_servers: must be host:port"),
    ({"kafka.bootstrap_servers": "a:1,b:0"}, "kafka.bootstrap_servers: entry 2 must be host:p"),
    ({"kafka.bootstrap_servers": "a:1,"}, "kafka.bootstrap_servers: entry 2 must be host:port"),
    ({"kafka.bootstrap_servers": ["a:1", 2]}, "kafka.bootstrap_servers: entry 2 must be host"),
    ({"kafka.bootstrap_servers": []}, "kafka.bootstrap_servers: must be host:port"),
    (
        {"destinations[0].advertiser_id": 7000000000000000001},
        "destinations[0].advertiser_id: must be text: put quotes around the digits",
    ),
    (
        {"destinations[0].advertiser_id": "act_7"},
        "destinations[0].advertiser_id: must be digits in quotes",
    ),
    ({"routes[0].audience_id": 71}, "routes[0].audience_id: must be text: put quotes around"),
    # YAML reads an unquoted NO as false.
    ({"identities[1].default_region": False}, "identities[1].default_region: must be text: put"),
    ({"identities[1].default_region": "XX"}, "identities[1].default_region: must be a region"),
    ({"identities[1].default_region": "us"}, "identities[1].default_region: must be a region"),
    (
        {"identities[0].target": "EMAIL_SHA265"},
        "identities[0].target: must be one of EMAIL_SHA256, PHONE_SHA256, IDFA_SHA256, AAID_SHA256, IDFA_MD5, AAID_MD5; did you mean EMAIL_SHA256?",
    ),
    ({"identities[0].transformation": "sometimes"}, "identities[0].transformation: must be on"),
    ({"identities[0].strip_plus": "perhaps"}, "identities[0].strip_plus: must be true or false"),
    ({"routes[0].identities": []}, "routes[0].identities: must have at least one entry"),
    ({"routes[0].identities": "EMAIL_SHA256"}, "routes[0].identities: must be a list"),
    (
        {"routes[0].identities": ["EMAIL_SHA256", "FAX"]},
        "routes[0].identities[1]: must be one of EMAIL_SHA256",
    ),
    ({"tiktok.base_url": "http://business-api.tiktok.com/x"}, "tiktok.base_url: must be https"),
    ({"tiktok.base_url": "http://0.0.0.0/x"}, "tiktok.base_url: must be https"),
    ({"tiktok.base_url": "http://localhost.example/x"}, "tiktok.base_url: must be https"),
    ({"tiktok.base_url": "business-api.tiktok.com"}, "tiktok.base_url: must be a URL like"),
    ({"tiktok.base_url": "https://a:port/x"}, "tiktok.base_url: must be a URL like"),
    ({"tiktok.base_url": "https://[::1/x"}, "tiktok.base_url: must be a URL like"),
    ({"tiktok.base_url": "ftp://localhost/x"}, "tiktok.base_url: must be a URL like"),
    ({"tiktok.base_url": "https://me:pass@a/x"}, "tiktok.base_url: must be a URL without user"),
    ({"tiktok.base_url": "https://a/x?b=c"}, "tiktok.base_url: must be a URL without user"),
    ({"destinations[0].access_token_file": " "}, "destinations[0].access_token_file: is empty"),
    ({"governance.require_consent": "ads"}, "governance.require_consent: must be a list"),
    ({"governance.require_consent": ["a", ""]}, "governance.require_consent[1]: must not be emp"),
    ({"governance.require_consent": [True]}, "governance.require_consent[0]: must be text"),
    ({"governance.require_consent": ["a", "a"]}, "governance.require_consent: entry 2 is there al"),
    ({"governance.require_consent": None}, "governance.require_consent: has no value"),
    ({"governance.suppression_topic": "a b"}, "governance.suppression_topic: must be 1 to 249"),
    ({"governance.policy_file": ""}, "governance.policy_file: is empty: give the path"),
    ({"governance.policy_file": 5}, "governance.policy_file: must be the path of a file"),
    ({"governance.policy": "x"}, "governance.policy: unknown key; did you mean policy_file?"),
    ({"destinations[0].marketing_actions": "x"}, "destinations[0].marketing_actions: must be a l"),
    ({"destinations[0].marketing_actions": [" "]}, "destinations[0].marketing_actions[0]: must n"),
    (
        {"destinations[0].marketing_actions": ["Lookalike", "lookalike "]},
        "destinations[0].marketing_actions: entry 2 is there already",
    ),
    ({"segments": {"vip": ["x"]}}, "segments: must be a list"),
    ({"segments[0]": {"labels": []}}, "segments[0].match: is required"),
    ({"segments[0]": {"match": "*"}}, "segments[0].labels: is required"),
    ({"segments[0]": {"match": "", "labels": []}}, "segments[0].match: must not be empty"),
    ({"segments[0]": {"match": "*", "labels": [1]}}, "segments[0].labels[0]: must be text"),
]

NOT_YET: list[Case] = [
    ({"routes[0].audience_name": "x"}, "routes[0].audience_name: is not supported yet"),
    ({"routes[0].create": True}, "routes[0].create: is not supported yet"),
    ({"routes[0].audience_type": "partner"}, "routes[0].audience_type: is not supported yet"),
    ({"routes[0].cadence_seconds": 1}, "routes[0].cadence_seconds: is not supported yet"),
    ({"routes[0].segment": "crm-*"}, "routes[0].segment: this value is not supported yet"),
    ({"routes[0].segment": "crm-?"}, "routes[0].segment: this value is not supported yet"),
    ({"routes[0].segment": "crm-[a]"}, "routes[0].segment: this value is not supported yet"),
    ({"tiktok.app_id": "7"}, "tiktok.app_id: is not supported yet"),
    ({"tiktok.app_secret_file": "/x"}, "tiktok.app_secret_file: is not supported yet"),
]

COLUMNS = {"profile_id": "id", "segment": "segment", "email": "email"}
MAPPING = {
    "profile_id": "user.id",
    "segment": "audience",
    "status": {"path": "kind", "entered": ["in", True, 1], "exited": ["out"]},
    "identities": {"email": "user.email"},
}

BETWEEN_KEYS: list[Case] = [
    ({"kafka.topics[0].format": "debezium"}, "kafka.topics[0].columns: is required with format"),
    ({"kafka.topics[0].format": "custom"}, "kafka.topics[0].mapping: is required with format cus"),
    ({"kafka.topics[0].columns": COLUMNS}, "kafka.topics[0].columns: is for format debezium alone"),
    ({"kafka.topics[0].mapping": MAPPING}, "kafka.topics[0].mapping: is for format custom alone"),
    (
        {
            "kafka.topics[0].format": "debezium",
            "kafka.topics[0].columns": {"segment": "s", "email": "e", "phone": "p"},
        },
        "kafka.topics[0].columns: needs profile_id",
    ),
    (
        {
            "kafka.topics[0].format": "debezium",
            "kafka.topics[0].columns": {"segment": "s", "profile_id": "e"},
        },
        "kafka.topics[0].columns: needs a namespace",
    ),
    (
        {"governance.require_consent": ["ads"], "kafka.topics[1].format": "segment"},
        "kafka.topics[1].consent: is required with governance.require_consent: say where",
    ),
    (
        {"kafka.topics[1].consent": "permissions"},
        "kafka.topics[1].consent: means nothing without governance.require_consent",
    ),
    ({"kafka.topics[1].name": "members"}, "kafka.topics[1].name: is the same topic as kafka.t"),
    ({"kafka.dead_letter_topic": "more"}, "kafka.dead_letter_topic: must be none of the topics"),
    ({"governance.suppression_topic": "more"}, "governance.suppression_topic: must be none of th"),
    (
        {"governance.suppression_topic": "members.dead-letter"},
        "governance.suppression_topic: must not be kafka.dead_letter_topic",
    ),
    ({"destinations[1].name": "emea", "routes[1].destination": "emea"}, "destinations[1].name: "),
    (
        {"destinations[1].advertiser_id": "7000000000000000001"},
        "destinations[1].advertiser_id: is the same account as destinations[0]",
    ),
    (
        {"destinations[1].name": "Emea", "routes[1].destination": "Emea"},
        "destinations[1].name: would take its token from the same environment variable",
    ),
    (
        {"routes[1].destination": "emea", "routes[1].audience_id": "7100000000000000001"},
        "routes[1].audience_id: is fed by routes[0] already",
    ),
    (
        {"routes[1].destination": "apca"},
        "routes[1].destination: is the name of no destination; did you mean apac?",
    ),
    ({"routes[1].destination": "zzz"}, "routes[1].destination: is the name of no destination"),
    (
        {"routes[1].identities": ["EMAIL_SHA256", "IDFA_SHA256"]},
        "routes[1].identities[1]: is the target of none of the identities",
    ),
    ({"identities[0].default_region": "US"}, "identities[0].default_region: is for PHONE_SHA256"),
    ({"identities[1].strip_plus": True}, "identities[1].strip_plus: is for EMAIL_SHA256"),
    ({"identities[1].strip_dots": True}, "identities[1].strip_dots: is for EMAIL_SHA256"),
    (
        {"identities[2]": {"source": "EMAIL", "target": "email_lc_sha256"}},
        "identities[2]: has the source and the target of identities[0]",
    ),
    (
        {"tiktok.request_timeout_seconds": 20},
        "tiktok.request_timeout_seconds: must be less than delivery.drain_seconds",
    ),
    (
        {"delivery.drain_seconds": 15},
        "tiktok.request_timeout_seconds: must be less than delivery.drain_seconds",
    ),
    ({"delivery.retry_max_seconds": 0.1}, "delivery.retry_initial_seconds: must not be more"),
]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [*KEYS, *VALUES, *NOT_YET, *BETWEEN_KEYS],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    problems = problems_of(tmp_path, changed(changes))
    # One mistake, one line: what follows from a wrong key is not complained of as well.
    assert len(problems) == 1
    assert problems[0].startswith(problem)


@pytest.mark.parametrize("device_id", ["IDFA", "AAID"])
@pytest.mark.parametrize("restricted", ["by the route", ""])
def test_two_digests_of_one_device_id_in_one_audience(
    tmp_path: Path, device_id: str, restricted: str
) -> None:
    targets = [f"{device_id}_MD5", f"{device_id}_SHA256"]
    tree = changed({"identities": [{"source": "device", "target": target} for target in targets]})
    put(tree, "routes[0].identities", targets if restricted else None)
    put(tree, "routes[1].identities", targets[:1])

    (problem,) = problems_of(tmp_path, tree)

    assert problem.startswith(f"routes[0].identities: {device_id}_MD5 and {device_id}_SHA256")


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("destinations[0].access_token", "access_token_file"),
        ("destinations[0].token", "access_token_file"),
        ("kafka.security.password", "password_file"),
        ("kafka.security.sasl_password", "password_file"),
        ("tiktok.app_secret", "app_secret_file"),
        ("access_token", "access_token_file"),
    ],
)
def test_a_secret_in_plain(tmp_path: Path, key: str, instead: str) -> None:
    (problem,) = problems_of(tmp_path, changed({key: "hunter2"}))
    assert problem.startswith(f"{key}: a secret must not stand in the file: use {instead}")
    assert "hunter2" not in problem


WRONG_MAPPINGS: list[tuple[dict[str, object], str]] = [
    ({"segment": ...}, "kafka.topics[0].mapping.segment: is required"),
    ({"segmnt": "a"}, "kafka.topics[0].mapping.segmnt: unknown key"),
    ({"segment": "a["}, "kafka.topics[0].mapping.segment: is not a JMESPath expression"),
    ({"identities": {}}, "kafka.topics[0].mapping.identities: "),
    ({"identities": {"email": "a b"}}, "kafka.topics[0].mapping.identities.email: is not a JMES"),
    ({"status": "kind"}, "kafka.topics[0].mapping.status: must be a mapping"),
    (
        {"status": {"path": "kind", "entered": [], "exited": ["out"]}},
        "kafka.topics[0].mapping.status.entered: ",
    ),
    (
        {"status": {"path": "kind", "entered": [["in"]], "exited": ["out"]}},
        "kafka.topics[0].mapping.status.entered[0]: must be text, a number, true or false",
    ),
]


@pytest.mark.parametrize(
    ("changes", "start"), WRONG_MAPPINGS, ids=[one for _, one in WRONG_MAPPINGS]
)
def test_a_wrong_mapping_is_told_by_its_place(
    tmp_path: Path, changes: dict[str, object], start: str
) -> None:
    mapping = {key: value for key, value in (MAPPING | changes).items() if value is not ...}
    tree = changed({"kafka.topics[0].format": "custom", "kafka.topics[0].mapping": mapping})
    problems = problems_of(tmp_path, tree)

    assert [problem for problem in problems if problem.startswith(start)], problems


def test_each_shape_loads(tmp_path: Path) -> None:
    tree = changed({"kafka.topics[0].format": "custom", "kafka.topics[0].mapping": MAPPING})
    topic = load_tree(tmp_path, tree).kafka.topics[0]
    assert topic.mapping is not None
    assert topic.mapping.status.entered == ("in", True, 1)

    tree = changed({"kafka.topics[0].format": "debezium", "kafka.topics[0].columns": COLUMNS})
    assert load_tree(tmp_path, tree).kafka.topics[0].columns == COLUMNS

    tree = changed({"routes[0].audience_id": "from_event", "routes[1].audience_id": "from_event"})
    assert load_tree(tmp_path, tree).routes[0].audience_id == "from_event"


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    cases: list[Case] = [
        ({"delivery.max_rowz": 5}, "delivery.max_rowz: "),
        ({"delivery.max_rows": 0}, "delivery.max_rows: "),
        ({"kafka.topics[0].format": "segmnt"}, "kafka.topics[0].format: "),
        ({"kafka.topics[1].name": "members"}, "kafka.topics[1].name: "),
        ({"kafka.bootstrap_servers": ...}, "kafka.bootstrap_servers: "),
        ({"kafka.dead_letter_topic": "members"}, "kafka.dead_letter_topic: "),
        ({"destinations[0].nam": "x"}, "destinations[0].nam: "),
        ({"destinations[1].advertiser_id": "7000000000000000001"}, "destinations[1].advertis"),
        ({"routes[0].create": True}, "routes[0].create: "),
        ({"routes[0].segment": ...}, "routes[0].segment: "),
        ({"routes[0].destination": "emae"}, "routes[0].destination: "),
        ({"routes[1].identities": ["IDFA_MD5"]}, "routes[1].identities[0]: "),
        ({"tiktok.request_timeout_seconds": 60}, "tiktok.request_timeout_seconds: "),
        ({"log": 3}, "log: must be a mapping"),
    ]
    tree = changed({path: value for changes, _ in cases for path, value in changes.items()})

    problems = problems_of(tmp_path, tree, {"CONNECTOR_ACCESS_TOKEN_EMEA": "x"})

    for _, start in cases:
        assert [problem for problem in problems if problem.startswith(start)], start
    assert [problem for problem in problems if problem.startswith("destinations[1].access_token")]
    # The dead-letter topic is two of the topics, as these are one.
    assert len(problems) == len(cases) + 2


def test_the_right_tree_is_right(tmp_path: Path) -> None:
    assert load_tree(tmp_path, right()).routes[0].segment == "gold"
