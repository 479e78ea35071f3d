"""cloudq's worker and sender beside those of other task queues."""
