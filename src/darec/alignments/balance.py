"""Balance of two gradients on E_C: the alignment's gradient is scaled relative to the recommendation's.

Both gradients are taken at the backbone's output. Each is a list of tensors, one for each output table: users, items,
and the users and items of each view. An entry is None if no gradient reached that table. Norms are computed over the
first two tables, which are E_C.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from darec.alignments.base import AlignmentConfig
from darec.processes import WHOLE, Layout

Gradient = Sequence[Tensor | None]


def balanced(
    ranking: Gradient,
    alignment: Gradient,
    config: AlignmentConfig,
    step: int,
    layout: Layout = WHOLE,
) -> tuple[list[Tensor | None], dict[str, Tensor]]:
    """The sum of the recommendation's gradient and the alignment's gradient, scaled by the settings.

    Args:
        ranking: gradient of the recommendation losses.
        alignment: gradient of the alignment losses, which are already multiplied by
            :meth:`AlignmentConfig.loss_weight`.
        config: ``balance``, ``rho``, ``surgery`` and ``warmup``.
        step: number of the step, for the warm-up.
        layout: how the tables are divided among processes.

    Returns:
        The sum, and three scalars. ``gradient/ranking`` and ``gradient/alignment`` are the norms on E_C, after surgery
        and before scaling; ``gradient/scale`` is the factor.
    """
    if config.surgery:
        alignment = _without_conflict(alignment, ranking, layout)
    norm, pushed = _norm(ranking, layout), _norm(alignment, layout)
    scale = torch.ones_like(norm)
    if config.balance == "gradient":
        tiny = torch.finfo(pushed.dtype).tiny
        scale = config.rho * config.ramp(step) * norm / pushed.clamp_min(tiny)
    both = zip(ranking, alignment, strict=True)
    report = {
        "gradient/ranking": norm,
        "gradient/alignment": pushed,
        "gradient/scale": scale,
    }
    return [_add(grad, push, scale) for grad, push in both], report


def _norm(gradient: Gradient, layout: Layout) -> Tensor:
    norms = [torch.linalg.vector_norm(grad) for grad in gradient[:2] if grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return layout.summed(norm.square()).sqrt() if layout.divided else norm


def _without_conflict(push: Gradient, grads: Gradient, layout: Layout) -> list[Tensor | None]:
    """``push`` without its projection on ``grads`` if their inner product over all tables is negative."""
    both = [(p, g) for p, g in zip(push, grads, strict=True) if p is not None and g is not None]
    along = layout.summed(torch.stack([(p * g).sum() for p, g in both]).sum())
    length = layout.summed(torch.stack([g.square().sum() for _, g in both]).sum())
    share = (along / length.clamp_min(torch.finfo(length.dtype).tiny)).clamp_max(0)
    return [
        p if p is None or g is None else torch.addcmul(p, g, -share)
        for p, g in zip(push, grads, strict=True)
    ]


def _add(grad: Tensor | None, push: Tensor | None, scale: Tensor) -> Tensor | None:
    if push is None:
        return grad
    return scale * push if grad is None else torch.addcmul(grad, push, scale)
