"""Scans files, folders and a lake's texts with the detectors of the call path."""
