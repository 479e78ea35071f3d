"""How SQS is spoken over HTTP: thin shells over the service."""
