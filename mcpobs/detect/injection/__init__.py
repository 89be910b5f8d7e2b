"""Scans texts for instructions that somebody put into them for the model that reads them. Keeps no text."""

from mcpobs.detect.injection.scanning import Hit, Scanned, features, scan, threshold

__all__ = ["Hit", "Scanned", "features", "scan", "threshold"]
