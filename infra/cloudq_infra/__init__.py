"""SAM from the registry."""
