"""Floor 5: other tools' files, read and written as those tools do it."""
