"""A local cloud: SQS of our own, everything else moto's, in one process on loopback."""
