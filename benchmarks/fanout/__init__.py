"""Fan-out: what it takes to tell a crowd of sockets of one change. `python -m benchmarks.fanout`."""
