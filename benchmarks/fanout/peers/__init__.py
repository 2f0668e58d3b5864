"""The servers that are compared. Each tells its watchers when a line comes on the port behind its own."""
