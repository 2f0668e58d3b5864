"""What a database holds, and what is let go of it, in the graph."""
