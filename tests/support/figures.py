"""Figures: what a test has measured, told at the end of the run."""

# The name under which a test's report carries them, also from one process to another.
FIGURE = "figure"
