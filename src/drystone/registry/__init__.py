"""Floor 2: named versions of data and models, aliases and their gates, model directories."""
