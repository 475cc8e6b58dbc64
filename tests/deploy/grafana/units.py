"""Numbers as people read them, by the names that Grafana has for units."""

_STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_TIMES = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_SUFFIXES = {"short": "", "cps": "/s", "reqps": " req/s", "bytes": "B"}


def shown(value: float, unit: str) -> str:
    """Raises KeyError for a unit that no panel of ours has."""
    if unit == "s":
        return _seconds(value)
    if unit == "percentunit":
        return f"{_digits(value * 100)} %"
    for size, letter in _STEPS:
        if abs(value) >= size:
            return f"{_digits(value / size)} {letter}{_SUFFIXES[unit]}"
    return f"{_digits(value)}{_SUFFIXES[unit]}"


def _seconds(value: float) -> str:
    for size, name in _TIMES:
        if abs(value) >= size:
            return f"{_digits(value / size)} {name}"
    if 0 < abs(value) < 1:
        return f"{_digits(value * 1000)} ms"
    return f"{_digits(value)} s"


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
