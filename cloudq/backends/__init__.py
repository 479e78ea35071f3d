"""Where state lives. `cloudq.backends.base` is the seam, each sibling one implementation of it."""
