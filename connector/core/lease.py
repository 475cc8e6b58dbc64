"""For how long our partitions are ours for sure: until the group might have given them to another member.

Owns that moment. A process that stood still for longer than its session, as on a machine that was suspended, does
not know yet that others own its partitions; what it sends then may undo what they sent. Pure: time is an argument.
"""

import math


class Lease:
    """`renew` with each sign of the group; `is_held` before each call.

    Args:
        seconds: how long a sign lasts: clearly less than the session's timeout.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = math.inf  # before the first assignment there is nothing to send

    def renew(self, at: float) -> None:
        """The group has confirmed our membership by an answer to what was sent then."""
        self._until = at + self._seconds

    def is_held(self, now: float) -> bool:
        return now < self._until
