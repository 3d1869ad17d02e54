"""Floor 0: references, ids, errors, clock, signature, layout. Frozen values, no I/O."""
