"""UDP listeners in the graph."""
