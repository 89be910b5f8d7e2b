"""Trains, calibrates and measures the injection scanner. Not part of the package that users install."""
