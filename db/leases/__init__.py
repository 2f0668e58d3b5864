"""Who of several servers on one database does the work that one of them is to do."""
