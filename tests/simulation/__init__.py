"""Many replicas under one allowance, in virtual time: the real rate limit, with clocks and a network as they are."""
