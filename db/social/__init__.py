"""Users and their entries: threads, marks, follows, and the counters of them all."""
