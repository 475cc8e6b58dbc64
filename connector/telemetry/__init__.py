"""What the outside sees of the inside: log events and metrics, and the rule that no personal data is in either."""
