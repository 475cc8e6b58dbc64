"""Delivery: from pending changes to calls, and from their outcomes to resolved positions.

Owns lanes, the dispatcher, the reactions to outcomes, halts, the drain and the dead letters' way out. Knows
neither Kafka nor TikTok: both are seams, declared in connector.delivery.seams.
"""
