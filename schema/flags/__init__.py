"""Flags in the graph."""
