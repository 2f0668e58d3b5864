"""What it takes to give out a million rows and to take them in."""
