"""What a backup costs those who write meanwhile, and whether it holds every row of one moment."""
