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
"""Scores held at once; 4 MB of float32, which the caches of a CPU core hold better than more."""


class _LogPartition(torch.autograd.Function):
    """``mean_b logsumexp_m(anchors_b . candidates_m / temperature)``, chunked over anchors."""

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, candidates: Tensor, temperature: float) -> Tensor:
        wanted = ctx.needs_input_grad
        total = anchors.new_zeros(())
        to_anchors = torch.empty_like(anchors) if wanted[0] else None
        to_candidates = torch.zeros_like(candidates) if wanted[1] else None
        scale = 1.0 / (temperature * len(anchors))
        rows = max(1, _CHUNK // max(1, len(candidates)))
        for start in range(0, len(anchors), rows):
            block = anchors[start : start + rows]
            scores = (block / temperature) @ candidates.T
            peak = scores.amax(1, keepdim=True)
            weights = scores.sub_(peak).exp_()
            sums = weights.sum(1, keepdim=True)
            total += (sums.log() + peak).sum()
            if to_anchors is not None:
                torch.mm(weights, candidates, out=to_anchors[start : start + rows])
                to_anchors[start : start + rows].mul_(scale / sums)
            if to_candidates is not None:
                to_candidates.addmm_(weights.T, block * (scale / sums))
        ctx.save_for_backward(to_anchors, to_candidates)
        return total / len(anchors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        to_anchors, to_candidates = ctx.saved_tensors
        (grad,) = grads
        return (
            None if to_anchors is None else grad * to_anchors,
            None if to_candidates is None else grad * to_candidates,
            None,
        )


_log_partition: Callable[[Tensor, Tensor, float], Tensor] = _LogPartition.apply


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    candidates: Tensor | None = None,
    *,
    temperature: float,
) -> Tensor:
    """InfoNCE of each anchor against all candidates, on cosines.

    Memory beyond the inputs' size is a few megabytes, whatever B and M are.

    Args:
        anchors: [B, d]; rows need not be of unit length.
        positives: [B, d], the partner of each anchor.
        candidates: [M, d], among which the positives should be; None: the positives themselves.
        temperature: tau, divides the cosines.

    Returns:
        The mean over anchors, a scalar; ``log M`` in the limit of infinite temperature.
    """
    anchors, positives = F.normalize(anchors, dim=1), F.normalize(positives, dim=1)
    candidates = positives if candidates is None else F.normalize(candidates, dim=1)
    agreement = (anchors * positives).sum(1).mean() / temperature
    return _log_partition(anchors, candidates, temperature) - agreement
