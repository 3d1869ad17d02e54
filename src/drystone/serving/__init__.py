"""Floor 3: serving a registered model over HTTP, every prediction validated, named and logged."""
