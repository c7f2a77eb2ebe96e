"""What a finished run learned: maps of the parts, similarities, and users whom text brings together."""

from darec.visualize.anatomy import Anatomy, View, anatomy_of
from darec.visualize.run import visualize

__all__ = ["Anatomy", "View", "anatomy_of", "visualize"]
