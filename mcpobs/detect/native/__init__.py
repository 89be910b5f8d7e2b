"""Owns the linear model's scorer in C (`ngrams.c`) and its loader. Without a compiler the model is off."""
