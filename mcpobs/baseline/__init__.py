"""Traffic into limits with evidence, and limits against traffic. Reads the lake through `queries`; writes no file."""
