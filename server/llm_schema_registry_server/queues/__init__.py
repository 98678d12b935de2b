"""Who waits for what: fair queues between callers, for everything of which a server has only so much."""
