"""The commands of `ringside`, one file for each family."""
