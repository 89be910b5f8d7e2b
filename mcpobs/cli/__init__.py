"""Doors: one file per command. A door reads options, calls what does the work, and prints; it decides nothing."""
