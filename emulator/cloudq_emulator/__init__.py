"""A local cloud."""
