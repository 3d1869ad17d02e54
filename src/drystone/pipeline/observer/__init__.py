"""Floor 3: runs one command and sees what it reads and writes, with seccomp user notification."""

from drystone.pipeline.observer.supervise import observe

__all__ = ["observe"]
