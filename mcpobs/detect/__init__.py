"""Finds what a text holds: injected instructions, personal data, secrets. Pure: linear time, bounded memory, no I/O."""
