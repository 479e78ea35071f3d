"""Programs that show cloudq at work: a shop, and a demo that runs it."""
