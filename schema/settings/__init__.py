"""Settings in the graph."""
