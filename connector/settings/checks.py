"""The rules that need more than one key. Each takes what is right by itself, and says nothing of what is not.

Pure: files and secrets are connector.settings.credentials' business.
"""

from collections.abc import Collection, Iterator

from connector.settings.draft import Part
from connector.settings.fields import FROM_EVENT
from connector.settings.problems import Problem, nearest, suggestion

_SASL_KEYS = ("sasl_mechanism", "username", "password_file")
_TLS_KEYS = ("ca_file", "cert_file", "key_file")


def check(root: Part) -> Iterator[Problem]:
    """Everything that is wrong between the keys."""
    yield from _topics(root)
    yield from _security(root.section("kafka").section("security"))
    yield from _destinations(root)
    yield from _identities(root)
    yield from _routes(root)
    yield from _route_targets(root)
    yield from _times(root)
    yield from _admin(root.section("admin"))
    yield from _governance(root)
    yield from _consent(root)


def check_policy(policy: Part) -> Iterator[Problem]:
    """Everything that is wrong between the keys of a policy."""
    rules = list(policy.entries("rules"))
    for rule, earlier in _repeated(rules, "name"):
        yield Problem(rule.at("name"), f"is the name of {earlier.path} too")
    denied = [rule.section("deny") for rule in rules]
    for deny in denied:
        if deny.is_absent("labels") and deny.is_absent("marketing_actions"):
            yield Problem(deny.path, "needs labels, marketing_actions or both")
        yield from check_names(deny, "marketing_actions", policy.get("known_marketing_actions"))
    for part in (*policy.entries("segments"), *denied):
        yield from check_names(part, "labels", policy.get("known_labels"))


def check_names(part: Part, key: str, known: Collection[str] | None) -> Iterator[Problem]:
    """Each name at this key that is none of those known; None where any name may stand."""
    if known is not None:
        for index, name in enumerate(part.get(key) or ()):
            if name not in known:
                text = f"is no name that the policy knows; {suggestion(name, known)}"
                yield Problem(f"{part.at(key)}[{index}]", text)


def _repeated(parts: list[Part], key: str) -> Iterator[tuple[Part, Part]]:
    """Each mapping whose value at this key stands in an earlier one, with that one."""
    first: dict[str, Part] = {}
    for part in parts:
        if (value := part.get(key)) is not None:
            earlier = first.setdefault(value, part)
            if earlier is not part:
                yield part, earlier


def _topics(root: Part) -> Iterator[Problem]:
    kafka = root.section("kafka")
    topics = list(kafka.entries("topics"))
    for topic, earlier in _repeated(topics, "name"):
        yield Problem(topic.at("name"), f"is the same topic as {earlier.path}")
    for topic in topics:
        yield from _shape(topic)
    dead_letters = kafka.get("dead_letter_topic")
    for topic in topics:
        if dead_letters is not None and topic.get("name") == dead_letters:
            yield Problem(
                kafka.at("dead_letter_topic"),
                f"must be none of the topics read, and is {topic.path}: its letters would be read again",
            )


# The keys that say how a format is read, by the format that they belong to.
_SHAPES = {"columns": "debezium", "mapping": "custom"}


def _shape(topic: Part) -> Iterator[Problem]:
    if (name := topic.get("format")) is None:
        return
    for key, owner in _SHAPES.items():
        if name == owner and topic.is_absent(key):
            yield Problem(topic.at(key), f"is required with format {owner}")
        if name != owner and not topic.is_wrong(key) and not topic.is_absent(key):
            yield Problem(topic.at(key), f"is for format {owner} alone")
    yield from _names_once(topic)
    for key in ("profile_id", "segment"):
        if (columns := topic.get("columns")) is not None and key not in columns:
            yield Problem(topic.at("columns"), f"needs {key}: the column that holds it")
    if (columns := topic.get("columns")) is not None and len(columns) < 3:
        yield Problem(topic.at("columns"), "needs a namespace, such as email, and its column")


def _names_once(topic: Part) -> Iterator[Problem]:
    """Namespaces are matched without regard to case, and a status means one thing."""
    mapping = topic.section("mapping")
    for part, key in ((topic, "columns"), (mapping, "identities")):
        names = [name.lower() for name in part.get(key) or ()]
        if len(set(names)) < len(names):
            yield Problem(
                part.at(key), "names a namespace twice: upper and lower case are the same"
            )
    status = mapping.section("status")
    entered, exited = status.get("entered") or (), status.get("exited") or ()
    both = [one for one in entered if (type(one), one) in [(type(each), each) for each in exited]]
    if both:
        yield Problem(status.at("exited"), "has a value that stands under entered too")


def _security(security: Part) -> Iterator[Problem]:
    protocol = security.get("protocol")
    if protocol is None:
        return
    sasl, tls = protocol.startswith("SASL_"), protocol.endswith("SSL")
    for key in _SASL_KEYS[:2]:
        if sasl and security.is_absent(key):
            yield Problem(security.at(key), f"is required with protocol {protocol}")
    refused = (*(() if sasl else _SASL_KEYS), *(() if tls else _TLS_KEYS))
    for key in refused:
        if security.get(key) is not None:
            yield Problem(
                security.at(key),
                f"means nothing with protocol {protocol}: change the protocol, or leave the key out",
            )
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if security.get(key) is not None and security.is_absent(other):
            yield Problem(security.at(other), f"is required with {key}")


def _destinations(root: Part) -> Iterator[Problem]:
    destinations = list(root.entries("destinations"))
    for destination, earlier in _repeated(destinations, "name"):
        yield Problem(destination.at("name"), f"is the name of {earlier.path} too")
    for destination, earlier in _repeated(destinations, "advertiser_id"):
        yield Problem(
            destination.at("advertiser_id"),
            f"is the same account as {earlier.path}: name it once, and route to that name",
        )


def _identities(root: Part) -> Iterator[Problem]:
    first: dict[tuple[str, str], Part] = {}
    for identity in root.entries("identities"):
        source, target = identity.get("source"), identity.get("target")
        if target is None:
            continue
        for key in ("strip_plus", "strip_dots"):
            if identity.get(key) and target != "EMAIL_SHA256":
                yield Problem(identity.at(key), "is for EMAIL_SHA256 alone")
        if identity.get("default_region") and target != "PHONE_SHA256":
            yield Problem(identity.at("default_region"), "is for PHONE_SHA256 alone")
        if source is not None:
            earlier = first.setdefault((source.casefold(), target), identity)
            if earlier is not identity:
                yield Problem(identity.path, f"has the source and the target of {earlier.path}")


def _routes(root: Part) -> Iterator[Problem]:
    accounts = {
        destination.get("name"): destination.get("advertiser_id")
        for destination in root.entries("destinations")
        if destination.get("name") is not None
    }
    first: dict[tuple[str, str], Part] = {}
    for route in root.entries("routes"):
        name, audience = route.get("destination"), route.get("audience_id")
        if name is None:
            continue
        if accounts and name not in accounts:
            near = nearest(name, accounts)
            hint = f"; did you mean {near}?" if near else ""
            yield Problem(route.at("destination"), f"is the name of no destination{hint}")
        if audience is not None and audience != FROM_EVENT:
            earlier = first.setdefault((accounts.get(name) or name, audience), route)
            if earlier is not route:
                yield Problem(
                    route.at("audience_id"),
                    f"is fed by {earlier.path} already: exits from one segment would remove members of the other",
                )


def _route_targets(root: Part) -> Iterator[Problem]:
    identities = root.entries("identities")
    made = {identity.get("target") for identity in identities}
    # What a wrong identity would have made is not known.
    if not made or None in made:
        return
    for route in root.entries("routes"):
        if route.is_wrong("identities"):
            continue
        wanted = route.get("identities")
        for index, target in enumerate(wanted or ()):
            if target not in made:
                yield Problem(
                    f"{route.at('identities')}[{index}]", "is the target of none of the identities"
                )
        sent = made if wanted is None else made.intersection(wanted)
        for device_id in ("IDFA", "AAID"):
            if {f"{device_id}_MD5", f"{device_id}_SHA256"} <= sent:
                yield Problem(
                    route.at("identities"),
                    f"{device_id}_MD5 and {device_id}_SHA256 cannot go to one audience: name one of them here",
                )


def _times(root: Part) -> Iterator[Problem]:
    tiktok, delivery = root.section("tiktok"), root.section("delivery")
    timeout, drain = tiktok.get("request_timeout_seconds"), delivery.get("drain_seconds")
    if timeout is not None and drain is not None and timeout >= drain:
        yield Problem(
            tiktok.at("request_timeout_seconds"),
            f"must be less than {delivery.at('drain_seconds')}, or a stop cuts calls off",
        )
    initial, longest = delivery.get("retry_initial_seconds"), delivery.get("retry_max_seconds")
    if initial is not None and longest is not None and initial > longest:
        yield Problem(
            delivery.at("retry_initial_seconds"),
            f"must not be more than {delivery.at('retry_max_seconds')}",
        )


def _admin(admin: Part) -> Iterator[Problem]:
    tokens = list(admin.entries("tokens"))
    for token, earlier in _repeated(tokens, "name"):
        yield Problem(token.at("name"), f"is the name of {earlier.path} too")
    if admin.get("protect_metrics") and not tokens:
        yield Problem(admin.at("protect_metrics"), "needs a token: name one in admin.tokens")


def _governance(root: Part) -> Iterator[Problem]:
    kafka, governance = root.section("kafka"), root.section("governance")
    if (suppression := governance.get("suppression_topic")) is None:
        return
    path = governance.at("suppression_topic")
    for topic in kafka.entries("topics"):
        if topic.get("name") == suppression:
            yield Problem(path, f"must be none of the topics read, and is {topic.path}")
    if kafka.get("dead_letter_topic") == suppression:
        yield Problem(path, f"must not be {kafka.at('dead_letter_topic')}")


def _consent(root: Part) -> Iterator[Problem]:
    """Without a place to find it, consent would be missing everywhere, and every entry an exit."""
    governance = root.section("governance")
    if governance.is_wrong("require_consent"):
        return
    key, is_required = governance.at("require_consent"), bool(governance.get("require_consent"))
    for topic in root.section("kafka").entries("topics"):
        has_field = topic.get("format") in {None, "native"}
        if is_required and not has_field and topic.is_absent("consent"):
            text = (
                f"is required with {key}: say where an event tells what its person has consented to"
            )
            yield Problem(topic.at("consent"), text)
        if not is_required and topic.get("consent") is not None:
            yield Problem(topic.at("consent"), f"means nothing without {key}")
