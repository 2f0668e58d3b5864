"""Which of several servers does what, in the graph."""
