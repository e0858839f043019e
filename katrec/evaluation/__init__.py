"""Metrics and rankings (Section 4.2.1)."""
