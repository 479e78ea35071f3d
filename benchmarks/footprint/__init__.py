"""What task queues weigh: memory of their workers, what it costs to import them."""
