"""The training graph and propagation over it, and graphs of nearest neighbours."""

from darec.graph.adjacency import Graph, GraphSpec
from darec.graph.filters import ideal_low_pass, item_graph, matrix_of
from darec.graph.nearest import Neighbours, find_neighbours, nearest_neighbours
from darec.graph.neighbours import NeighbourGraph, OwnNeighbours
from darec.graph.pattern import Pattern
from darec.graph.reliability import reliability
from darec.graph.shared_text import SharedText, shared_text
from darec.graph.text_neighbours import TextNeighbours, neighbour_means, text_neighbours

__all__ = [
    "Graph",
    "GraphSpec",
    "NeighbourGraph",
    "Neighbours",
    "OwnNeighbours",
    "Pattern",
    "SharedText",
    "TextNeighbours",
    "find_neighbours",
    "ideal_low_pass",
    "item_graph",
    "matrix_of",
    "nearest_neighbours",
    "neighbour_means",
    "reliability",
    "shared_text",
    "text_neighbours",
]
