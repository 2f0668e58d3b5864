"""Practice: goals that stand in trees, the sessions in which they are practised for, and what both come to."""
