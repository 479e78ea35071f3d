"""The same task in each task queue. Only cloudq's module may import cloudq: peers live in their own environment."""

LINE_BYTES = 8
"""What one execution adds to the file in which they are noted."""
