"""InfoNCE over many candidates, in memory that does not grow with their product.

``mean_b [ logsumexp_m(a_b . c_m / tau) - a_b . p_b / tau ]`` over unit rows: the contrastive loss of SGL (Wu et al.
2021, eq. 10), SimGCL (Yu et al. 2022, eq. 4) and RLMRec-Con (Ren et al. 2024, eq. 8). Its gradient needs the [B, M]
softmax only as a factor of two products, so both are taken a block at a time while the loss is computed, and no
[B, M] matrix ever exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.numerics.rows import full_precision, widen

_BLOCK = 2**20
"""Number of scores in memory at once: 4 MB of float32, which fit into a CPU core's caches."""
_WHOLE = 2**14
"""Up to this number of candidates, a block has all of them, and its scores are used for value and gradient. With more,
a block that fits into the caches would have so few anchors that all candidates are read and written too often. Blocks
are then square, and scores are computed twice (benchmarks/numerics/infonce.py)."""


class _LogPartition(torch.autograd.Function):
    """``sum_b share_b logsumexp_m(anchors_b . candidates_m)``, by blocks."""

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, candidates: Tensor, share: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad
        total = anchors.new_zeros(())
        to_anchors = torch.zeros_like(anchors) if wanted[0] else None
        to_candidates = torch.zeros_like(candidates) if wanted[1] else None
        columns = len(candidates) if len(candidates) <= _WHOLE else int(_BLOCK**0.5)
        rows = max(1, _BLOCK // max(1, columns))
        parts = candidates.split(columns)
        buffer = anchors.new_empty(
            rows * columns
        )  # new memory for each block costs more than its scores
        for start in range(0, len(anchors), rows):
            block, weight = anchors[start : start + rows], share[start : start + rows, None]
            peak, sums = block.new_full((len(block), 1), -torch.inf), block.new_zeros(len(block), 1)
            for part in parts:
                scores = _scores(block, part, buffer)
                highest = torch.maximum(peak, scores.amax(1, keepdim=True))
                scores = scores.sub_(highest).exp_()
                sums = sums * (peak - highest).exp_() + scores.sum(1, keepdim=True)
                peak = highest
            total += ((sums.log() + peak) * weight).sum()
            if to_anchors is None and to_candidates is None:
                continue
            weight = weight / sums
            weighted = block * weight
            for index, part in enumerate(parts):
                if len(parts) > 1:
                    scores = _scores(block, part, buffer).sub_(peak).exp_()
                if to_anchors is not None:
                    to_anchors[start : start + rows].addmm_(scores, part)
                if to_candidates is not None:
                    first = index * columns
                    to_candidates[first : first + columns].addmm_(scores.T, weighted)
            if to_anchors is not None:
                to_anchors[start : start + rows] *= weight
        ctx.save_for_backward(to_anchors, to_candidates)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        to_anchors, to_candidates = ctx.saved_tensors
        (grad,) = grads
        return (
            None if to_anchors is None else grad * to_anchors,
            None if to_candidates is None else grad * to_candidates,
            None,
        )


def _scores(block: Tensor, part: Tensor, buffer: Tensor) -> Tensor:
    """All inner products, written into ``buffer``."""
    out = buffer[: len(block) * len(part)].view(len(block), len(part))
    return torch.mm(block, part.T, out=out)


_log_partition: Callable[[Tensor, Tensor, Tensor], Tensor] = _LogPartition.apply


@full_precision
def log_partition(anchors: Tensor, candidates: Tensor, counts: Tensor | None = None) -> Tensor:
    """Mean over anchors of ``logsumexp_m(a_b . c_m)``.

    Args:
        anchors: [B, d].
        candidates: [M, d].
        counts: [B] weight of each anchor; None is 1.
    """
    anchors, candidates = widen(anchors), widen(candidates)
    weights = anchors.new_ones(len(anchors)) if counts is None else counts.to(anchors.dtype)
    return _log_partition(anchors, candidates, weights / weights.sum())


@full_precision
def info_nce(
    anchors: Tensor,
    positives: Tensor,
    candidates: Tensor | None = None,
    *,
    temperature: float,
    counts: Tensor | None = None,
) -> Tensor:
    """InfoNCE of each anchor against all candidates, on cosines.

    It needs a few megabytes of memory in addition to the inputs, for all B and M. It is computed at least in float32,
    also with autocast.

    Args:
        anchors: [B, d]; rows need not be of unit length.
        positives: [B, d], the partner of each anchor.
        candidates: [M, d], which should include the positives; None is the positives.
        temperature: tau, by which the cosines are divided.
        counts: [B] weight of each anchor; None is 1. So an anchor that occurs several times in a batch is computed
            once.

    Returns:
        The mean over anchors, a scalar; ``log M`` in the limit of infinite temperature.
    """
    anchors = F.normalize(widen(anchors), dim=1) / temperature
    positives = F.normalize(widen(positives), dim=1)
    candidates = positives if candidates is None else F.normalize(widen(candidates), dim=1)
    agreement = (anchors * positives).sum(1)
    weights = torch.ones_like(agreement) if counts is None else counts.to(agreement.dtype)
    mean_agreement = (agreement * weights).sum() / weights.sum()
    return log_partition(anchors, candidates, counts) - mean_agreement
