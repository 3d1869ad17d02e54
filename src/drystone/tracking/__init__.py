"""Floor 2: recording runs. What a script, a step or a command did, as facts in its journal."""
