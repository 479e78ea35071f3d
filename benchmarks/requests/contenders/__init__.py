"""One module a task queue: `send` in as few requests as it can, `send_one_by_one` from threads."""
