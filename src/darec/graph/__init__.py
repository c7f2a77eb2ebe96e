"""The training graph and propagation over it."""

from darec.graph.adjacency import Graph, GraphSpec
from darec.graph.pattern import Pattern

__all__ = ["Graph", "GraphSpec", "Pattern"]
