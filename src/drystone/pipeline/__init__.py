"""Floor 3: steps, how they are observed, when they run, and why."""
