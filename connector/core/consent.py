"""Whether a person has consented to what the audiences are for.

Owns what counts as consent: exactly JSON's true, for every purpose that is required. Anything else is none: a text, a
number, null, a purpose that is missing, and what is not an object at all. Where an event carries its consent is the
formats' business. Pure.
"""

from collections.abc import Sequence


class Consent:
    """Judges what events say of consent: `is_given`.

    Args:
        purposes: all of them are required.
    """

    def __init__(self, purposes: Sequence[str]) -> None:
        self._purposes = tuple(purposes)

    def is_given(self, consent: object) -> bool:
        """Whether this, of any JSON type, is consent to every required purpose."""
        if type(consent) is not dict:
            return False
        for purpose in self._purposes:  # noqa: SIM110  a generator for each record is slow
            if consent.get(purpose) is not True:
                return False
        return True
