"""Answers questions about the recorded calls: a question with its options in, an answer out. Prints nothing."""
