"""Taekwondo fights: mats, the log of what a scoring program said, and the scoreboard it folds to."""
