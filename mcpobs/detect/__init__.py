"""Finds injected instructions, personal data and secrets in texts. Pure: linear time, bounded memory, no I/O."""
