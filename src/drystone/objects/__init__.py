"""Floor 1: immutable bytes and directories, named by their BLAKE3 hash and never served unverified."""
