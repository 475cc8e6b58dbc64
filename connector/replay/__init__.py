"""Replay: what was set aside, and sending it again without ever overwriting newer truth.

Owns the reading of letters, the choice among them, and the look at the source that says what has changed since.
Delivery itself is connector.delivery's, unchanged. Knows neither Kafka's client nor TikTok: connector.replay.run
connects the parts. Why it is safe stands in docs/decisions.
"""
