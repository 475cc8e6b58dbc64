"""The settings of a topic: its name, and how its records are read.

As in connector.settings.model, of which this is a part: keys, defaults, bounds and descriptions, and nothing else.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from connector.settings.fields import JmesPath, StatusWords, Text, Topic


class Frozen(BaseModel):
    """What all settings are: closed, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StatusSettings(Frozen):
    """Where an event says whether a profile entered or exited."""

    path: JmesPath = Field(
        description="Where the status stands, as a JMESPath expression.",
        examples=["change.kind"],
    )
    entered: StatusWords = Field(
        description="The values that mean that the profile entered: text, numbers or booleans.",
        examples=[["joined", True]],
    )
    exited: StatusWords = Field(
        description="The values that mean that it exited.",
        examples=[["left", False]],
    )


class MappingSettings(Frozen):
    """Where the parts of an event stand in a JSON of your own."""

    profile_id: JmesPath = Field(
        description="Whose membership it is, as a JMESPath expression.",
        examples=["user.id"],
    )
    segment: JmesPath = Field(
        description="The segment; a list of them is a membership each.",
        examples=["audience.key"],
    )
    status: StatusSettings = Field(description="Whether the profile entered or exited.")
    timestamp: JmesPath | None = Field(
        default=None,
        description="When it happened, in RFC 3339.",
        examples=["meta.time"],
    )
    identities: Annotated[dict[str, JmesPath], Field(min_length=1)] = Field(
        description="Namespaces, and where their value, or a list of values, stands.",
        examples=[{"email": "user.email", "phone": "user.phones[].number"}],
    )


class TopicSettings(Frozen):
    """A topic to read, and the shape of its records."""

    name: Topic = Field(
        description="The topic's name.",
        examples=["segment-membership"],
    )
    format: Literal[
        "native", "segment", "adobe_xdm", "mparticle", "rudderstack", "debezium", "custom"
    ] = Field(default="native", description="The shape of the topic's records.")
    columns: dict[str, Text] | None = Field(
        default=None,
        description="For debezium: the columns of profile_id and segment, and of each namespace.",
        examples=[{"profile_id": "user_id", "segment": "segment", "email": "email"}],
    )
    mapping: MappingSettings | None = Field(
        default=None,
        description="For custom: where the parts of an event stand.",
        examples=[
            {
                "profile_id": "user.id",
                "segment": "audience.key",
                "status": {"path": "change.kind", "entered": ["joined"], "exited": ["left"]},
                "identities": {"email": "user.email"},
            }
        ],
    )
    consent: JmesPath | None = Field(
        default=None,
        description="Where an event says what its person has consented to, as a JMESPath expression that finds or"
        " builds an object of purposes. Needed with governance.require_consent, but for native, which has a field.",
        examples=["context.consent.categoryPreferences"],
    )
