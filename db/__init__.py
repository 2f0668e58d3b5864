"""What is true, and how it may change."""
