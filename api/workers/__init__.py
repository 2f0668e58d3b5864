"""Background work: packets in, under a supervisor."""
