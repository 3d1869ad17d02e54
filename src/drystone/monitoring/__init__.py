"""Floor 3: verdicts about what is served: drift of inputs, performance from labels that come late."""
