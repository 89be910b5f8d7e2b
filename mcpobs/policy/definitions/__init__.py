"""Tool definitions: their fingerprints, the approved ones in a file, and their differences in words."""
