"""Charges what agents spend on models, as the lake holds it, to the budgets of a policy."""
