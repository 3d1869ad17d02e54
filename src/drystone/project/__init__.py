"""Floor 4: the facade. Opens a root, wires the engines, answers the questions that span rooms."""

from drystone.project.project import Project
from drystone.project.settings import Settings

__all__ = ["Project", "Settings"]
