"""Owns the limits file: its model, reading and writing. Does not judge a call, and knows nothing of a lake."""
