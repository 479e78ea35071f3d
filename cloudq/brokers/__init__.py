"""Where messages wait. `cloudq.brokers.base` is the seam, each sibling one implementation of it."""
