"""Functions on rows for losses and diagnostics: unit length, sampling, and sufficient precision.

A row of zeros has no direction. Everywhere in this package its unit row is the zero row and no gradient reaches it,
so that its cosine with any row is 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

CHUNK = 2048


def full_precision(
    function: Callable[Concatenate[Tensor, P], R],
) -> Callable[Concatenate[Tensor, P], R]:
    """Run a function of tensors without autocast, because sums over many rows are too inaccurate in bfloat16."""

    @functools.wraps(function)
    def wrapper(x: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not torch.is_autocast_enabled(x.device.type):
            return function(x, *args, **kwargs)
        with torch.autocast(x.device.type, enabled=False):
            return function(x, *args, **kwargs)

    return wrapper


def wide_dtype(*tensors: Tensor) -> torch.dtype:
    """The widest dtype among the tensors, at least float32."""
    return functools.reduce(torch.promote_types, (x.dtype for x in tensors), torch.float32)


def widen(x: Tensor) -> Tensor:
    """The same values in at least float32."""
    return x.to(wide_dtype(x))


def chunks(*tensors: Tensor, rows_each: int = 1) -> Iterator[tuple[Tensor, ...]]:
    """Views of some rows at a time of tensors with equally many rows.

    On a CPU, so few rows that temporary results stay in the cache, which is several times faster than whole-table
    operations. On other devices many rows, because each operation has a fixed cost. ``rows_each`` is the number of rows
    of work for each row of the tensors.
    """
    size = max(1, (CHUNK if tensors[0].device.type == "cpu" else 64 * CHUNK) // rows_each)
    return zip(*(x.split(size) for x in tensors), strict=True)


def inverse_norms(x: Tensor) -> Tensor:
    """[n, 1] one over each row's length; 0 for a row of zeros (or one whose squared length underflows)."""
    squared = (x * x).sum(1, keepdim=True)
    return torch.where(squared < torch.finfo(x.dtype).tiny, torch.inf, squared).rsqrt_()


def normalisation_grad(grad: Tensor, unit: Tensor, inverse: Tensor, out: Tensor) -> None:
    """Write the gradient of rows into ``out``, given that of their unit rows. The part along a row has no effect."""
    along = (grad * unit).sum(1, keepdim=True)
    torch.mul(torch.addcmul(grad, unit, along, value=-1), inverse, out=out)


def sample_rows(
    n: int, size: int, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """[size] distinct rows of ``n`` in random order; drawn on the generator's device, so equal on every device.

    Args:
        n: number of rows.
        size: number of rows to draw, at most ``n``.
        generator: source of the draw; None is torch's global one.
        device: device of the result.
    """
    where = generator.device if generator is not None else "cpu"
    return torch.randperm(n, generator=generator, device=where)[:size].to(device)


def check_same_rows(a: Tensor, b: Tensor, *, same_width: bool = False) -> None:
    """Raise ``ValueError`` unless both are matrices with the same number of rows (and, on request, columns)."""
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or (same_width and a.shape != b.shape):
        wanted = "[n, d] and [n, d]" if same_width else "[n, d1] and [n, d2]"
        raise ValueError(f"shapes {list(a.shape)} and {list(b.shape)}: expected {wanted}.")
