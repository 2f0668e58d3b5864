"""Backups in the graph."""
