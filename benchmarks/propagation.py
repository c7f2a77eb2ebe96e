"""One propagation over the training graph by four kernels: ``python -m benchmarks.propagation``.

The normalised adjacency of Amazon-book times a table, float32, forward alone, on one thread.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from scipy import sparse

from benchmarks.common import interleaved, ratio, shared_dataset, spread, write_result
from darec.graph import Graph
from darec.graph.adjacency import csr_product

ROUNDS = 200


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        train = shared_dataset("rlmrec-amazon", Path(folder) / "amazon").train
    graph = Graph(train)
    n = graph.n_users + graph.n_items
    csr = graph.indptr, graph.indices, graph.weights
    indptr, indices = graph.indptr.long(), graph.indices.long()
    rows = torch.arange(n).repeat_interleave(indptr.diff())
    coo = torch.sparse_coo_tensor(
        torch.stack([rows, indices]), graph.weights, (n, n), check_invariants=False
    ).coalesce()
    torch_csr = torch.sparse_csr_tensor(
        indptr, indices, graph.weights, (n, n), check_invariants=False
    )
    by_scipy = sparse.csr_array((graph.weights.numpy(), indices.numpy(), indptr.numpy()), (n, n))
    by_width: dict[str, Any] = {}
    for width in (32, 64):
        x = torch.randn(n, width, generator=torch.Generator().manual_seed(0))
        dense = x.numpy()
        seconds = interleaved(
            {
                "embedding_bag": lambda x=x: csr_product(x, *csr),  # type: ignore[misc]
                "torch CSR": lambda x=x: torch_csr @ x,  # type: ignore[misc]
                "scipy CSR": lambda dense=dense: by_scipy @ dense,  # type: ignore[misc]
                "torch COO": lambda x=x: torch.sparse.mm(coo, x),  # type: ignore[misc]
            },
            ROUNDS,
        )
        ours = seconds["embedding_bag"]
        by_width[str(width)] = {
            name: {
                "milliseconds": spread([1e3 * s for s in values], 2),
                "times_embedding_bag": ratio(values, ours),
            }
            for name, values in seconds.items()
        }
    write_result(
        "propagation",
        {
            "what": f"one product with the normalised adjacency of Amazon-book, N = {n}, {len(indices)} non-zeros",
            "widths": by_width,
        },
    )


if __name__ == "__main__":
    main()
