"""The same task in each task queue; peers have their own environment, so only `ours` may import cloudq."""

LINE_BYTES = 8
"""What one execution adds to the file in which they are noted."""

NAP = 0.05
"""Seconds that a task sleeps in place of waiting for a network."""
