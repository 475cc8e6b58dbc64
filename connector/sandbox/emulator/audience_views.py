"""The data of the reading endpoints, in TikTok's field names. Pure.

The emulator matches every member at once: cover_num is the size of the largest identifier type. TikTok
takes hours, and matches fewer.
"""

import time
from collections.abc import Sequence
from typing import Any

from connector.sandbox.emulator.accounts import AudienceRecord
from connector.sandbox.emulator.api_calls import GetCall, ListCall
from connector.sandbox.emulator.memberships import Memberships

_YEAR = 365 * 86_400  # without retention_in_days an audience expires 365 days after its last use


def user_info() -> dict[str, Any]:
    """Return the data of user/info: who the token belongs to."""
    return {
        "core_user_id": "7000000000000000099",
        "display_name": "Emulated user",
        "email": "e***r@example.com",
        "create_time": 1_600_000_000,
    }


def listing(
    call: ListCall, records: Sequence[AudienceRecord], memberships: Memberships
) -> dict[str, Any]:
    """Return the data of dmp/custom_audience/list: one page; ids asked for that there are not are left out."""
    wanted = [
        record
        for record in records
        if not call.audience_ids or record.audience.audience_id in call.audience_ids
    ]
    first = (call.page - 1) * call.page_size
    return {
        "list": [
            {
                "audience_type": "Partner",
                **_common(record, memberships),
                "create_time": _time(record.created),
                "shared": False,
            }
            for record in wanted[first : first + call.page_size]
        ],
        "page_info": {
            "page": call.page,
            "page_size": call.page_size,
            "total_number": len(wanted),
            "total_page": -(-len(wanted) // call.page_size),
        },
    }


def details(
    call: GetCall, records: Sequence[AudienceRecord], memberships: Memberships
) -> dict[str, Any]:
    """Return the data of dmp/custom_audience/get, in the order asked for."""
    by_id = {record.audience.audience_id: record for record in records}
    return {"list": [_details(by_id[name], memberships) for name in call.audience_ids]}


def _details(record: AudienceRecord, memberships: Memberships) -> dict[str, Any]:
    return {
        "audience_details": {
            **_common(record, memberships),
            "audience_sub_type": "NORMAL",
            "type": "Partner",
            "owner_id": record.audience.advertiser_id,
            "is_creator": True,
            "is_expiring": False,
            "shared": False,
            "create_time": _time(record.created),
            "expired_time": _time(record.created + _YEAR),
            "msg": "",
            "error_msg": "",
        },
        "audience_history": [
            {
                "action": "Create",
                "action_detail": "",
                "editor": "open_api",
                "msg": "",
                "opt_time": _time(record.created),
            }
        ],
    }


def _common(record: AudienceRecord, memberships: Memberships) -> dict[str, Any]:
    sizes = memberships.sizes(record.audience.audience_id)
    return {
        "audience_id": record.audience.audience_id,
        "name": record.audience.name,
        "cover_num": max(sizes.values(), default=0),
        "is_valid": True,
    }


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
