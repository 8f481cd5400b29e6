"""Learning from samples: networks, losses, the engine that trains them, what a run leaves."""
