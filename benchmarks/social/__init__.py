"""The social graph at its size: feeds, threads and crowds over a million entries."""
