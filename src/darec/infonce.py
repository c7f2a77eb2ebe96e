"""InfoNCE over many candidates, in memory that does not grow with their product.

``mean_b [ logsumexp_m(a_b . c_m / tau) - a_b . p_b / tau ]`` over unit rows: the contrastive loss of SGL (Wu et al.
2021, eq. 10), SimGCL (Yu et al. 2022, eq. 4) and RLMRec-Con (Ren et al. 2024, eq. 8). Its gradient needs the [B, M]
softmax only as a factor of two products, so both are taken a few rows at a time while the loss is computed, and no
[B, M] matrix ever exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_CHUNK = 2**20
"""Scores held at once: 4 MB of float32, which stays in a CPU core's caches."""


class _LogPartition(torch.autograd.Function):
    """``sum_b share_b logsumexp_m(anchors_b . candidates_m)``, chunked over anchors."""

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, candidates: Tensor, share: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad
        total = anchors.new_zeros(())
        to_anchors = torch.empty_like(anchors) if wanted[0] else None
        to_candidates = torch.zeros_like(candidates) if wanted[1] else None
        rows = max(1, _CHUNK // max(1, len(candidates)))
        for start in range(0, len(anchors), rows):
            block, weight = anchors[start : start + rows], share[start : start + rows, None]
            scores = block @ candidates.T
            peak = scores.amax(1, keepdim=True)
            scores = scores.sub_(peak).exp_()
            sums = scores.sum(1, keepdim=True)
            total += ((sums.log() + peak) * weight).sum()
            weight = weight / sums
            if to_anchors is not None:
                to_anchors[start : start + rows] = (scores @ candidates).mul_(weight)
            if to_candidates is not None:
                to_candidates.addmm_(scores.T, block * weight)
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


_log_partition: Callable[[Tensor, Tensor, Tensor], Tensor] = _LogPartition.apply


def log_partition(anchors: Tensor, candidates: Tensor, counts: Tensor | None = None) -> Tensor:
    """Mean over anchors of ``logsumexp_m(a_b . c_m)``.

    Args:
        anchors: [B, d].
        candidates: [M, d].
        counts: [B] how often each anchor counts; None: once.
    """
    weights = anchors.new_ones(len(anchors)) if counts is None else counts.to(anchors.dtype)
    return _log_partition(anchors, candidates, weights / weights.sum())


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    candidates: Tensor | None = None,
    *,
    temperature: float,
    counts: Tensor | None = None,
) -> Tensor:
    """InfoNCE of each anchor against all candidates, on cosines.

    Memory beyond the inputs' size is a few megabytes, whatever B and M are.

    Args:
        anchors: [B, d]; rows need not be of unit length.
        positives: [B, d], the partner of each anchor.
        candidates: [M, d], among which the positives should be; None: the positives themselves.
        temperature: tau, divides the cosines.
        counts: [B] how often each anchor counts; None: once. An anchor that a batch holds several times is computed
            once this way.

    Returns:
        The mean over anchors, a scalar; ``log M`` in the limit of infinite temperature.
    """
    anchors = F.normalize(anchors, dim=1) / temperature
    positives = F.normalize(positives, dim=1)
    candidates = positives if candidates is None else F.normalize(candidates, dim=1)
    agreement = (anchors * positives).sum(1)
    weights = torch.ones_like(agreement) if counts is None else counts.to(agreement.dtype)
    mean_agreement = (agreement * weights).sum() / weights.sum()
    return log_partition(anchors, candidates, counts) - mean_agreement
