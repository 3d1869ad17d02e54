"""Floor 5: the command line. One file per verb; it parses, calls the project and renders."""
