"""Who may ask: users, their tokens, and what a viewer may see."""
