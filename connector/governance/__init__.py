"""The rules about people while the service runs: who is suppressed, and what is deleted because of that.

Owns the suppression list's life and the deletes that it asks for. What consent and suppression mean for a record is
connector.core.permission's; how the topic is read is the composition root's to bring.
"""
