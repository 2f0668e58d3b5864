"""What a database holds, and letting go of what is too old or too much of what grows for ever."""
