"""An emulator of TikTok's Business API v1.3, as far as streaming audiences need it.

A product of its own: it imports nothing of the connector's, so that the two cannot agree on a mistake.
docs/emulator.md is its manual.
"""

from connector.sandbox.emulator.accounts import (
    DEFAULT_ADVERTISER,
    DEFAULT_TOKEN,
    Accounts,
    Audience,
    default_accounts,
    parse_accounts,
)
from connector.sandbox.emulator.declared import Malformed
from connector.sandbox.emulator.faults import Fault, parse_faults, read_faults
from connector.sandbox.emulator.rates import Limits
from connector.sandbox.emulator.server import Emulator
from connector.sandbox.emulator.standalone import run

__all__ = [
    "DEFAULT_ADVERTISER",
    "DEFAULT_TOKEN",
    "Accounts",
    "Audience",
    "Emulator",
    "Fault",
    "Limits",
    "Malformed",
    "default_accounts",
    "parse_accounts",
    "parse_faults",
    "read_faults",
    "run",
]
