"""The demo's world: two TikTok accounts, twenty audiences, the mapping, and the faults on the way.

Owns these choices, and writes them down in each of the three forms needed: the connector's configuration, the
emulator's accounts, and the model's routes.
"""

import json
from pathlib import Path
from typing import Any, Final

from connector.sandbox.emulator import Accounts, Audience, Fault, Limits, read_faults
from connector.sandbox.generator import segment_names
from connector.sandbox.model import Identity, Route
from connector.sandbox.people import REGION

TOPIC: Final = "segment-membership"
LETTERS: Final = "segment-membership.dead-letter"
GROUP: Final = "demo"
CALLS_PER_SECOND: Final = 50  # what TikTok allows an app of its tier "ultimate"
SEGMENTS: Final = 18

_DESTINATIONS: Final = {
    "emea": ("7000000000000000001", "demo-token-of-emea"),
    "americas": ("7000000000000000002", "demo-token-of-americas"),
}
_FIRST_AUDIENCE: Final = 7100000000000000001
IDENTITIES: Final = (
    Identity("email", "EMAIL_SHA256"),
    Identity("crm_email", "email_lc_sha256"),
    Identity("phone", "phone_sha256_E.164", REGION),
    Identity("idfa", "IDFA"),
    Identity("gaid", "GAID"),
)

# About three calls of a hundred go wrong. A reset "after" is the mean one: it was applied, and nobody says so.
_FAULTS: Final[list[dict[str, Any]]] = [
    {"endpoint": "segment/mapping", "probability": 0.01, "code": 40100, "message": "Too frequent."},
    {"endpoint": "segment/mapping", "probability": 0.01, "status": 500},
    {"endpoint": "segment/mapping", "probability": 0.005, "reset": "before"},
    {"endpoint": "segment/mapping", "probability": 0.005, "reset": "after"},
]


def _plan() -> list[tuple[str, Route]]:
    """Return each route with its destination: two segments go to both, to the second one in part."""
    destinations = list(_DESTINATIONS)
    segments = segment_names(SEGMENTS)
    wanted = [(destinations[i % 2], segment, ()) for i, segment in enumerate(segments)]
    parted: list[tuple[str, str, tuple[str, ...]]] = [
        (destinations[1], segments[0], ("EMAIL_SHA256",)),
        (destinations[0], segments[1], ("IDFA_SHA256", "AAID_SHA256")),
    ]
    return [
        (destination, Route(segment, str(_FIRST_AUDIENCE + number), only))
        for number, (destination, segment, only) in enumerate([*wanted, *parted])
    ]


PLAN: Final = tuple(_plan())
ROUTES: Final = tuple(route for _, route in PLAN)


def audience_names() -> dict[str, str]:
    """Return how to call each audience id."""
    return {route.audience_id: f"{destination}/{route.segment}" for destination, route in PLAN}


def accounts() -> Accounts:
    """Return what TikTok knows of us."""
    names = audience_names()
    return Accounts(
        {token: [advertiser] for advertiser, token in _DESTINATIONS.values()},
        [
            Audience(_DESTINATIONS[destination][0], route.audience_id, names[route.audience_id])
            for destination, route in PLAN
        ],
    )


def limits() -> Limits:
    """Return how much TikTok allows."""
    return Limits(qps=CALLS_PER_SECOND)


def faults() -> list[Fault]:
    """Return what goes wrong on the way."""
    return read_faults(_FAULTS)


def write_configuration(
    folder: Path, bootstrap_servers: str, tiktok_port: int, admin_port: int
) -> Path:
    """Write the connector's configuration and its token files, and return where it is."""
    for name, (_, token) in _DESTINATIONS.items():
        secret = folder / f"{name}.token"
        secret.touch(mode=0o600)
        secret.write_text(token)
    path = folder / "connector.yaml"
    document = _configuration(folder, bootstrap_servers, tiktok_port, admin_port)
    path.write_text(json.dumps(document, indent=2))  # JSON is YAML
    return path


def _configuration(
    folder: Path, bootstrap_servers: str, tiktok_port: int, admin_port: int
) -> dict[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "group_id": GROUP,
            "topics": [{"name": TOPIC, "format": "native"}],
            "dead_letter_topic": LETTERS,
        },
        "tiktok": {
            "base_url": f"http://127.0.0.1:{tiktok_port}/open_api/v1.3",
            # After a call whose fate is not known, the opposite change waits for so long.
            "request_timeout_seconds": 3,
            "rate_limit": {"tier": "ultimate"},
        },
        "destinations": [
            {
                "name": name,
                "advertiser_id": advertiser,
                "access_token_file": str(folder / f"{name}.token"),
            }
            for name, (advertiser, _) in _DESTINATIONS.items()
        ],
        "identities": [_mapping(identity) for identity in IDENTITIES],
        "routes": [_route(destination, route) for destination, route in PLAN],
        "admin": {"host": "127.0.0.1", "port": admin_port},
        "log": {"level": "info", "format": "json"},
    }


def _mapping(identity: Identity) -> dict[str, str]:
    mapping = {"source": identity.source, "target": identity.target}
    if identity.default_region is not None:
        mapping["default_region"] = identity.default_region
    return mapping


def _route(destination: str, route: Route) -> dict[str, Any]:
    written: dict[str, Any] = {
        "segment": route.segment,
        "destination": destination,
        "audience_id": route.audience_id,
    }
    if route.identities:
        written["identities"] = list(route.identities)
    return written
