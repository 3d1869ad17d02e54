"""Floor 5: other tools' protocols."""
