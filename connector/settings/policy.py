"""The policy file: reads it, and holds a configuration to it.

Owns the words of a refusal, and that a policy is never passed by: one that cannot be read, or demands nothing, refuses
the configuration. What rules mean is connector.core.policy's business. It must not know what the settings are used for.
"""

from collections.abc import Iterator
from pathlib import Path

from connector.core.policy import Denial, Labelling, Policy, Rule
from connector.errors import SettingsError
from connector.settings import checks, document
from connector.settings.draft import Part, Reader
from connector.settings.governance import PolicySettings
from connector.settings.model import Settings
from connector.settings.problems import Problem


def read(path: Path) -> PolicySettings:
    """The policy in a file. Raises SettingsError with everything that is wrong in it."""
    policy, problems = _draft(path)
    if problems:
        raise SettingsError([str(problem) for problem in problems])
    return PolicySettings.model_validate(policy.plain())


def denials(settings: Settings) -> list[str]:
    """What the policy on disk now says against the routes of a configuration that was in order once."""
    root = Reader(Settings).read(settings.model_dump(mode="json"))
    path = root.section("governance").get("policy_file")
    if path is None:
        return []
    return [str(problem) for problem in _denied_routes(_draft(path)[0], root)]


def apply(root: Part) -> list[Problem]:
    """Hold a configuration to the policy that it names: what it breaks.

    What the policy demands is demanded by the configuration from then on.
    """
    governance = root.section("governance")
    path = governance.get("policy_file")
    if path is None:
        return []
    policy, problems = _draft(path)
    _demand_consent(policy, governance)
    return [*problems, *_unknown_names(policy, root), *_denied_routes(policy, root)]


def _draft(path: Path) -> tuple[Part, list[Problem]]:
    tree, problems = document.read(path)
    if tree is None:
        return Part(), [Problem("governance.policy_file", str(problem)) for problem in problems]
    reader = Reader(PolicySettings)
    policy = reader.read(tree)
    wrong = [*reader.problems, *checks.check_policy(policy)] or [*_demands_nothing(policy)]
    return policy, [*problems, *(_in_file(path, problem) for problem in wrong)]


def _in_file(path: Path, problem: Problem) -> Problem:
    return Problem(f"{path}: {problem.path}", problem.text)


def _demand_consent(policy: Part, governance: Part) -> None:
    ours, theirs = governance.get("require_consent"), policy.get("require_consent")
    if ours is None or theirs is None:
        # What is required is not known, so that nothing can be said against it.
        governance.forget("require_consent")
    else:
        governance.set("require_consent", tuple(dict.fromkeys((*ours, *theirs))))


def _demands_nothing(policy: Part) -> Iterator[Problem]:
    """What is here by mistake is no policy."""
    denies = policy.entries("rules") or policy.get("unlisted_segments") == "deny"
    if not denies and not policy.get("require_consent"):
        text = "is required, where neither require_consent nor unlisted_segments demands anything"
        yield Problem("rules", text)


def _unknown_names(policy: Part, root: Part) -> Iterator[Problem]:
    """Names in the configuration that the policy does not know: a misspelt one would pass every rule by."""
    known = policy.get("known_labels")
    for segment in root.entries("segments"):
        yield from checks.check_names(segment, "labels", known)
    known = policy.get("known_marketing_actions")
    for destination in root.entries("destinations"):
        yield from checks.check_names(destination, "marketing_actions", known)


def _denied_routes(policy: Part, root: Part) -> Iterator[Problem]:
    judge = Policy(_rules(policy), [*_labellings(root), *_labellings(policy)], _listed(policy))
    destinations = root.entries("destinations")
    used_for = {one.get("name"): one.get("marketing_actions") for one in destinations}
    for route in root.entries("routes"):
        segment, destination = route.get("segment"), route.get("destination")
        if segment is None:
            continue
        if not judge.allows_segment(segment):
            text = f"the policy denies segment {segment}: no entry of its own segments matches it"
            yield Problem(route.path, text)
        if (actions := used_for.get(destination)) is not None:
            for denial in judge.denials(segment, actions):
                yield Problem(route.path, _in_words(denial, segment, destination))


def _rules(policy: Part) -> Iterator[Rule]:
    """The rules that are right by themselves."""
    for rule in policy.entries("rules"):
        name, deny = rule.get("name"), rule.section("deny")
        if name is None or deny.is_wrong("labels") or deny.is_wrong("marketing_actions"):
            continue
        labels, actions = deny.get("labels"), deny.get("marketing_actions")
        if labels or actions:
            yield Rule(name, _set(labels), _set(actions), rule.get("reason") or "")


def _set(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _labellings(part: Part) -> Iterator[Labelling]:
    for entry in part.entries("segments"):
        match, labels = entry.get("match"), entry.get("labels")
        if match is not None and labels is not None:
            yield Labelling(match, frozenset(labels))


def _listed(policy: Part) -> list[str] | None:
    """Which segments may be routed. The configuration's own entries do not count: one for * would lift the rule."""
    listed = [entry.get("match") for entry in policy.entries("segments")]
    is_known = None not in listed
    return listed if is_known and policy.get("unlisted_segments") == "deny" else None


def _in_words(denial: Denial, segment: str, destination: str) -> str:
    rule = denial.rule
    labelled = f", labelled {_listing(denial.labels)}," if rule.labels else ""
    used = ""
    if denial.marketing_actions:
        used = f", used for {_listing(denial.marketing_actions)}"
    elif rule.marketing_actions:
        used = ", which has no marketing_actions: it may be used for anything"
    reason = f". {' '.join(rule.reason.split())}" if rule.reason else ""
    return (
        f"the policy's rule {rule.name} denies that segment {segment}{labelled} feeds"
        f" destination {destination}{used}{reason}"
    )


def _listing(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
