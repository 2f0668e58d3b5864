"""Recordings of mats, the moments that were marked in them, and the OBS machines that make them."""
