"""Replays the lake through the policy engine: what a policy would have done. Reads the lake; enforces nothing."""
