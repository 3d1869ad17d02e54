"""Floor 3, feature store: views in `features/`, joined onto a spine as they were known at its times."""
