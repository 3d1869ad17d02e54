"""Floor 3: checks of data and models as plain pytest, judged pass, fail or unsure, kept as evidence."""
