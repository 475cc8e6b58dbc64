"""The settings of the rules about people, and of the policy file, which may have an owner of its own.

As in connector.settings.model, of which this is a part: keys, defaults, bounds and descriptions, and nothing else.
"""

from typing import Literal

from pydantic import Field

from connector.settings.fields import File, Names, Purposes, SomeNames, Text, Topic
from connector.settings.topics import Frozen


class SegmentSettings(Frozen):
    """What some segments hold."""

    match: Text = Field(
        description="Which segments, by the name that routes call them: *, ? and [abc] stand for other characters.",
        examples=["health-*"],
    )
    labels: Names = Field(
        description="What they hold, in the words of the policy.",
        examples=[["health"]],
    )


class GovernanceSettings(Frozen):
    """Rules about people."""

    require_consent: Purposes = Field(
        default=(),
        description="The purposes to which a person must have consented. Who has not is not added, and is removed.",
        examples=[["advertising"]],
    )
    suppression_topic: Topic | None = Field(
        default=None,
        description="The compacted topic of people who must be in no audience.",
        examples=["tiktok-suppression"],
    )
    policy_file: File | None = Field(
        default=None,
        description="The policy that this configuration must keep to.",
        examples=["/etc/connector/policy/policy.yaml"],
    )


class DenySettings(Frozen):
    """Which routes a rule denies. A list that is left out means any; one of the two must be there."""

    labels: SomeNames | None = Field(
        default=None,
        description="Denies segments with any of these labels.",
        examples=[["health"]],
    )
    marketing_actions: SomeNames | None = Field(
        default=None,
        description="Denies destinations with any of these marketing actions, and those that name none.",
        examples=[["retargeting"]],
    )


class RuleSettings(Frozen):
    """A rule of the policy."""

    name: Text = Field(
        description="What the refusal of a route calls the rule.",
        examples=["no-health-data"],
    )
    deny: DenySettings = Field(description="Which routes it denies.")
    reason: str = Field(
        default="",
        description="Why, for whoever wanted the route.",
    )


class PolicySettings(Frozen):
    """What a configuration of the TikTok audience connector must keep to."""

    rules: tuple[RuleSettings, ...] = Field(
        default=(),
        description="Each denies routes.",
    )
    segments: tuple[SegmentSettings, ...] = Field(
        default=(),
        description="What segments hold; the labels that the configuration gives them come in addition.",
    )
    unlisted_segments: Literal["allow", "deny"] = Field(
        default="allow",
        description="Whether segments may be routed that no entry of this file's segments matches.",
    )
    require_consent: Purposes = Field(
        default=(),
        description="Purposes to which a person must have consented, in addition to those of the configuration.",
        examples=[["advertising"]],
    )
    known_labels: Names | None = Field(
        default=None,
        description="The labels there are. With it any other is refused, here and in the configuration.",
        examples=[["health", "minors"]],
    )
    known_marketing_actions: Names | None = Field(
        default=None,
        description="The marketing actions there are. With it any other is refused, here and in the configuration.",
        examples=[["retargeting", "lookalike"]],
    )
