"""Floor 2: a git work tree and the objects it consists of; the lock, the stat index, add and checkout."""
