"""A real Kafka for the tests: Apache Kafka's own broker on free ports of this machine, or one that is named.

`Cluster` is what a test may ask of any Kafka; `Broker` is one that the tests run, and may stop, kill, freeze
and start again. Where Kafka comes from stands in `jars`. Knows nothing of the connector.
"""

from tests.kafka_broker.broker import PASSWORD, USERNAME, Broker
from tests.kafka_broker.cluster import Cluster, Message
from tests.kafka_broker.jars import KafkaNotFound, kafka_jars
from tests.kafka_broker.properties import Listener

__all__ = [
    "PASSWORD",
    "USERNAME",
    "Broker",
    "Cluster",
    "KafkaNotFound",
    "Listener",
    "Message",
    "kafka_jars",
]
