"""Requests to SQS for a task, counted by the emulator: ours and the peers'."""
