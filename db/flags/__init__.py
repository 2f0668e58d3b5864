"""Flags of countries, the codes they are known by, and how each image was recognised."""
