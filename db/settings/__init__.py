"""What may be set while the server runs: keys declared in code, one value each, and who changed it when and why."""
