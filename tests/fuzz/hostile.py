"""A megabyte made to hurt: what a parser, a normaliser or a careless loop may choke on, as JSON texts."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping

MEGABYTE = 1_000_000

MOST_SECONDS = 0.05
"""The event loop is never held for longer."""


def _list_of(one: str) -> str:
    return f"[{','.join([one] * (MEGABYTE // (len(one) + 1)))}]"


def _object_of(members: Iterator[str]) -> str:
    """An object of a megabyte: its members are written until it is one."""
    taken, size = [], 2
    for member in members:
        size += len(member.encode()) + 1
        if size > MEGABYTE:
            break
        taken.append(member)
    return f"{{{','.join(taken)}}}"


def _counted(pattern: str) -> Iterator[str]:
    return (pattern % number for number in itertools.count())


def _deep(open_: str, inner: str, close: str) -> str:
    depth = (MEGABYTE - len(inner)) // (len(open_) + len(close))
    return open_ * depth + inner + close * depth


JSON: Mapping[str, Callable[[], str]] = {
    "a long text": lambda: '"' + "x" * MEGABYTE + '"',
    "a long text that is not ASCII": lambda: '"' + "\u00fc" * (MEGABYTE // 2) + '"',
    "a long text of emoji": lambda: '"' + "\U0001f600" * (MEGABYTE // 4) + '"',
    "escapes": lambda: '"' + "\\u00fc" * (MEGABYTE // 6) + '"',
    "surrogate pairs": lambda: '"' + "\\ud83d\\ude00" * (MEGABYTE // 12) + '"',
    "lone surrogates": lambda: '"' + "\\ud800" * (MEGABYTE // 6) + '"',
    "NUL escaped": lambda: '"' + "\\u0000" * (MEGABYTE // 6) + '"',
    "NUL": lambda: '"' + "\0" * MEGABYTE + '"',
    "a text without an end": lambda: '"' + "x" * MEGABYTE,
    "backslashes": lambda: '"' + "\\" * MEGABYTE + '"',
    "a long number": lambda: "9" * MEGABYTE,
    "a long negative number": lambda: "-" + "9" * MEGABYTE,
    "a long fraction": lambda: "0." + "1" * MEGABYTE,
    "a long exponent": lambda: "1e" + "9" * MEGABYTE,
    "a long negative exponent": lambda: "1e-" + "9" * MEGABYTE,
    "zeros": lambda: "0" * MEGABYTE,
    "huge integers": lambda: _list_of("9" * 400),
    "integers just too large": lambda: _list_of("18446744073709551616"),
    "huge exponents": lambda: _list_of("1e308"),
    "fractions that round badly": lambda: _list_of("9007199254740993.0000000000000000000001"),
    "numbers": lambda: _list_of("1"),
    "texts": lambda: _list_of('"a"'),
    "empty texts": lambda: _list_of('""'),
    "nulls": lambda: _list_of("null"),
    "booleans": lambda: _list_of("true"),
    "empty lists": lambda: _list_of("[]"),
    "empty objects": lambda: _list_of("{}"),
    "small objects": lambda: _list_of('{"a":1}'),
    "lists in lists": lambda: _list_of("[[[[]]]]"),
    "deep lists, side by side": lambda: _list_of("[" * 200 + "]" * 200),
    "deep objects, side by side": lambda: _list_of('{"a":' * 200 + "1" + "}" * 200),
    "as many lists as may be": lambda: _list_of('"x"')[:800_000] + ",[[]]" * 9_000 + "]",
    "deep lists": lambda: _deep("[", "", "]"),
    "deep objects": lambda: _deep('{"a":', "1", "}"),
    "lists without an end": lambda: "[" * MEGABYTE,
    "objects without an end": lambda: '{"a":' * (MEGABYTE // 5),
    "ends without a beginning": lambda: "]" * MEGABYTE,
    "many keys": lambda: _object_of(_counted('"%d":1')),
    "many keys that are not ASCII": lambda: _object_of(_counted('"\u00fc%d":1')),
    "many keys of lists": lambda: _object_of(_counted('"%d":["x"]')),
    "many keys of nulls": lambda: _object_of(_counted('"%d":null')),
    "one key again and again": lambda: _object_of(itertools.repeat('"a":1')),
    "a long key": lambda: '{"' + "k" * MEGABYTE + '":1}',
    "long keys": lambda: _object_of(_counted('"%01000d":1')),
    "spaces": lambda: " " * MEGABYTE,
    "commas": lambda: "[" + "," * MEGABYTE + "]",
    "a byte order mark": lambda: "\ufeff{}",
}


def _profile(namespace: str, values: object) -> str:
    return json.dumps({namespace: values}, ensure_ascii=False)


def _fill(one: str) -> list[str]:
    return [one] * (MEGABYTE // (len(one.encode()) + 4))


def _numbered(pattern: str) -> list[str]:
    return [pattern % number for number in range(MEGABYTE // (len(pattern % 0) + 4))]


def _spellings(name: str) -> list[str]:
    return ["".join(some) for some in itertools.product(*({one, one.upper()} for one in name))]


IDENTITIES: Mapping[str, Callable[[], str]] = {
    "e-mails": lambda: _profile("email", _numbered("a%06d@b.cd")),
    "bad e-mails": lambda: _profile("email", _fill("x")),
    "numbers as e-mails": lambda: _profile("email", [1] * (MEGABYTE // 3)),
    "empty e-mails": lambda: _profile("email", _fill("")),
    "null e-mails": lambda: _profile("email", [None] * (MEGABYTE // 6)),
    "objects as e-mails": lambda: _profile("email", [{}] * (MEGABYTE // 30)),
    "e-mails in all spellings": lambda: json.dumps(
        {one: ["x"] * (MEGABYTE // 165) for one in _spellings("email")}
    ),
    "a long e-mail": lambda: _profile("email", "a" * MEGABYTE + "@b.cd"),
    "a long domain": lambda: _profile("email", "a@b." + "a" * MEGABYTE),
    "a domain of dots": lambda: _profile("email", "a@" + "." * MEGABYTE),
    "a domain of parts": lambda: _profile("email", "a@b" + ".a" * (MEGABYTE // 2)),
    "at signs": lambda: _profile("email", "@" * MEGABYTE),
    "an e-mail of spaces": lambda: _profile("email", " " * MEGABYTE),
    "an e-mail around spaces": lambda: _profile("email", "a@b" + " " * MEGABYTE + ".c"),
    "letters that grow in lower case": lambda: _profile("email", "\u0130" * (MEGABYTE // 2)),
    "national phone numbers": lambda: _profile("phone", _numbered("21337%05d")),
    "phone numbers": lambda: _profile("phone", _numbered("+121337%05d")),
    "national numbers in other digits": lambda: _profile("phone", _fill("\u0661" * 10)),
    "national numbers that are too long": lambda: _profile("phone", _fill("2133734253" + "1" * 20)),
    "long national numbers": lambda: _profile("phone", _fill("1" * 249)),
    "phone numbers of punctuation": lambda: _profile("phone", _fill("+(-" + "\u2011" * 240)),
    "a long phone number": lambda: _profile("phone", "1" * MEGABYTE),
    "a long number with its plus sign": lambda: _profile("phone", "+" + "1" * MEGABYTE),
    "a phone number of dashes": lambda: _profile("phone", "+1" + "\u2011" * (MEGABYTE // 3)),
    "a phone number in other digits": lambda: _profile("phone", "\u0661" * (MEGABYTE // 2)),
    "a long device id": lambda: _profile("idfa", "a" * MEGABYTE),
    "device ids": lambda: _profile("idfa", _fill("5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25")),
    "digests": lambda: _profile("email", _fill("a" * 64)),
    "all kinds": lambda: json.dumps(
        {
            "email": _numbered("a%06d@b.cd")[:20_000],
            "phone": _numbered("21337%05d")[:20_000],
            "idfa": ["5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"] * 10_000,
        }
    ),
}
"""What stands under `identities`, beside JSON's own traps."""


_HEAD = '{"profile_id":"p","segment":"s","status":"entered"'
_REST = _HEAD + ',"identities":{"email":"a@b.c"}'

_PLACES = {
    "alone": "%s",
    "beside": _REST + ',"x":%s}',
    "beside, not ASCII": _REST + ',"\u00fc":%s}',
    "as the time": _REST + ',"timestamp":%s}',
    "as the status": '{"profile_id":"p","segment":"s","identities":{},"status":%s}',
    "as the segment": '{"profile_id":"p","status":"entered","identities":{},"segment":%s}',
}
_ANSWERS = {
    "alone": "%s",
    "as the code": '{"code":%s}',
    "as the message": '{"code":40002,"message":%s}',
    "as the data": '{"code":0,"data":%s}',
}

EVENTS = [(name, place) for name in JSON for place in _PLACES]
PROFILES = [*JSON, *IDENTITIES]
ANSWERS = [(name, place) for name in JSON for place in _ANSWERS]


def event(name: str, place: str) -> bytes:
    """A native event with a megabyte of that in that place."""
    return (_PLACES[place] % JSON[name]()).encode()


def event_of_profile(name: str) -> bytes:
    """A native event with a megabyte of that as its identities, or under `email` where it is no object."""
    text = (IDENTITIES.get(name) or JSON[name])()
    is_object = text.startswith("{") and text.endswith("}")
    identities = text if is_object else f'{{"email":{text}}}'
    return f'{_HEAD},"identities":{identities}}}'.encode()


def answer(name: str, place: str) -> bytes:
    """An answer of TikTok's with a megabyte of that in that place."""
    return (_ANSWERS[place] % JSON[name]()).encode()
