"""Turns what was measured into records, findings and a log, between steps."""
