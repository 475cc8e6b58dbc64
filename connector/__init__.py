"""Streams segment-membership changes from Kafka to TikTok audiences."""

__version__ = "0.1.0"
