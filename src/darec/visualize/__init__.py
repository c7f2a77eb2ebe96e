"""Pictures of a finished run: maps of the parts, similarities, and users whose texts are similar."""

from darec.visualize.anatomy import Anatomy, View, anatomy_of
from darec.visualize.run import visualize

__all__ = ["Anatomy", "View", "anatomy_of", "visualize"]
