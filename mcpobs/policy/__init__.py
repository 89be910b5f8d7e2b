"""Decides whether a call may go on: rules, limits and budgets of a policy file, and the counters they need."""
