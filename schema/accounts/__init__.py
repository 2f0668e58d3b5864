"""Accounts, as the graph shows them."""
