"""The training graph and propagation over it."""

from darec.graph.adjacency import Graph, GraphSpec

__all__ = ["Graph", "GraphSpec"]
