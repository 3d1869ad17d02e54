"""Floor 1: the record of everything that happened. Journals are the truth; SQLite is their index."""
