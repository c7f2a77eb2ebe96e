"""A backbone and an alignment together: the one place that knows both.

The model sums the named losses, decides how hard the alignment pushes on the backbone's output, and states which
parameters the L2 term covers: all of them, by the optimiser's own weight decay, as in the RLMRec code; biases of the
alignment's networks are left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.backbones.base import Backbone, BackboneInputs
from darec.config import RunConfig
from darec.data.sampling import Sampler
from darec.errors import ConfigError
from darec.graph import Graph, GraphSpec
from darec.losses import RankingLoss
from darec.registry import ALIGNMENTS, BACKBONES
from darec.seeding import seeded
from darec.types import Batch, Encoded, Interactions, Tables, TextTable


class Model(nn.Module):
    """Backbone plus alignment over one training split.

    Args:
        config: the run's configuration.
        train: training interactions; the only interactions a model ever sees.
        text: language embeddings, where :meth:`needs_text` says so; else ignored.
        generator: source of the initial values.
    """

    def __init__(
        self,
        config: RunConfig,
        train: Interactions,
        text: TextTable | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if self.needs_text(config) and text is None:
            raise ConfigError(
                f"backbone {config.backbone.name!r} with alignment {config.alignment.name!r} needs language "
                "embeddings: run 'darec encode' on the dataset first."
            )
        self.sampler = Sampler(train)
        self.ranking = RankingLoss(config.loss, self.sampler)
        with seeded(generator.initial_seed()):  # a part may hold a torch.nn.Linear
            self._build(config, train, text, generator)
        self.push = config.alignment if isinstance(config.alignment, AlignmentConfig) else None

    def _build(
        self,
        config: RunConfig,
        train: Interactions,
        text: TextTable | None,
        generator: torch.Generator,
    ) -> None:
        """Make the backbone and the alignment."""
        backbone_class = BACKBONES.get(config.backbone.name)
        alignment_class = ALIGNMENTS.get(config.alignment.name)
        nothing = Tables(torch.empty(0, 0), torch.empty(0, 0))
        E_L = Tables(torch.as_tensor(text.users), torch.as_tensor(text.items)) if text else nothing
        plain = Graph(train)
        spec: GraphSpec | None = backbone_class.graph_spec(config.backbone)
        graph = plain if spec == GraphSpec() else None if spec is None else Graph(train, spec)
        self.backbone: Backbone[Any] = backbone_class(
            config.backbone,
            BackboneInputs(
                n_users=train.n_users,
                n_items=train.n_items,
                graph=graph,
                ranking=self.ranking,
                text=E_L if backbone_class.needs_text else None,
                generator=generator,
            ),
        )
        self.alignment: Alignment[Any] = alignment_class(
            config.alignment,
            AlignmentInputs(
                n_users=train.n_users,
                n_items=train.n_items,
                ego_dim=self.backbone.ego().shape[1],
                out_dim=self.backbone.out_dim,
                text=E_L if alignment_class.needs_text else nothing,
                item_mask=torch.as_tensor(text.item_mask if text else [], dtype=torch.bool),
                graph=plain,
                ranking=self.ranking,
                generator=generator,
            ),
        )
        if self.backbone.has_ids:
            with torch.no_grad():
                ids = self.backbone.embedding
                ids.copy_(self.alignment.initial_ids(ids.clone()))

    @staticmethod
    def needs_text(config: RunConfig) -> bool:
        """Whether the backbone or the alignment reads language embeddings."""
        backbone, alignment = config.backbone.name, config.alignment.name
        return bool(BACKBONES.get(backbone).needs_text or ALIGNMENTS.get(alignment).needs_text)

    def encode(
        self, batch: Batch | None = None, generator: torch.Generator | None = None
    ) -> Encoded:
        """E_C: with training's randomness where a batch and a generator are given, else deterministic."""
        draws = batch.generator if batch else None
        ego = self.alignment.fuse(self.backbone.ego(), draws)
        return self.backbone.encode(ego, generator)

    @torch.no_grad()
    def tables(self, encoded: Encoded | None = None) -> Tables:
        """The two tables whose inner product scores every user and item; no gradient.

        Args:
            encoded: a deterministic :meth:`encode` that is at hand already.
        """
        tables = self.alignment.represent(encoded or self.encode())
        return Tables(tables.users.detach(), tables.items.detach())

    @torch.no_grad()
    def diagnostics(self, encoded: Encoded | None = None) -> dict[str, float]:
        """What the alignment has to say about itself; no gradient. ``encoded`` as for :meth:`tables`."""
        return self.alignment.diagnostics(encoded or self.encode())

    def backward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Compute all losses of a step and add their gradients to the parameters'.

        The graph is cut at the backbone's output. Recommendation and alignment losses are differentiated down to the
        cut apart, the alignment's gradient is scaled there, and a single backward pass carries the sum through the
        propagation: the balance costs two norms and no second pass.

        Args:
            batch: positives, negatives and the generator of the alignment's draws.
            generator: source of the backbone's dropout and views.

        Returns:
            Detached scalars: each named loss and, with an alignment that pushes on E_C, the norms
            ``gradient/ranking`` and ``gradient/alignment`` there, after surgery and before scaling, and
            ``gradient/scale``.
        """
        encoded = self.encode(batch, generator)
        outputs = _flat(encoded)
        cut = [output.detach().requires_grad_() for output in outputs]
        on_cut = _rebuild(cut)
        ranking = dict(self.backbone.losses(on_cut, batch))
        pushing: dict[str, Tensor] = {}
        for name, term in self.alignment.losses(on_cut, batch).items():
            own = name in self.alignment.recommendation_terms
            (ranking if own else pushing)[name] = term
        shared = bool(pushing) and bool(self.alignment.recommendation_terms)
        torch.stack(list(ranking.values())).sum().backward(retain_graph=shared)
        report = {name: term.detach() for name, term in {**ranking, **pushing}.items()}
        grads = [leaf.grad for leaf in cut]
        if pushing and self.push is not None:
            for leaf in cut:
                leaf.grad = None
            total = torch.stack(list(pushing.values())).sum()
            ramp = self.push.ramp(batch.step)
            if self.push.balance == "fixed":
                total = self.push.strength * ramp * total
            total.backward()
            by_alignment = [leaf.grad for leaf in cut]
            if self.push.surgery:
                by_alignment = _without_conflict(by_alignment, grads)
            report["gradient/ranking"] = norm = _norm(grads)
            report["gradient/alignment"] = pushed = _norm(by_alignment)
            scale = torch.ones_like(norm)
            if self.push.balance == "gradient":
                scale = (
                    self.push.rho * ramp * norm / pushed.clamp_min(torch.finfo(pushed.dtype).tiny)
                )
            report["gradient/scale"] = scale
            grads = [
                _add(grad, push, scale) for grad, push in zip(grads, by_alignment, strict=True)
            ]
        reached = [
            (out, grad) for out, grad in zip(outputs, grads, strict=True) if grad is not None
        ]
        torch.autograd.backward([out for out, _ in reached], [grad for _, grad in reached])
        return report

    def parameter_groups(self, l2: float, *, decoupled: bool) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with the L2 term as its weight decay.

        Args:
            l2: weight of the squared norm. Its gradient is ``2 l2 w``, hence a decay of ``2 l2``.
            decoupled: the optimiser is AdamW, whose decay is not a gradient; ``l2`` is then the decay itself.
        """
        tables = [parameter for parameter in self.parameters() if parameter.ndim >= 2]
        biases = [parameter for parameter in self.parameters() if parameter.ndim < 2]
        groups = [{"params": tables, "weight_decay": l2 if decoupled else 2 * l2}]
        return [*groups, {"params": biases, "weight_decay": 0.0}] if biases else groups


def _flat(encoded: Encoded) -> list[Tensor]:
    return [table for pair in (encoded, *encoded.views) for table in (pair.users, pair.items)]


def _rebuild(flat: list[Tensor]) -> Encoded:
    pairs = [Tables(*flat[i : i + 2]) for i in range(0, len(flat), 2)]
    return Encoded(pairs[0].users, pairs[0].items, tuple(pairs[1:]))


def _norm(grads: list[Tensor | None]) -> Tensor:
    norms = [torch.linalg.vector_norm(grad) for grad in grads[:2] if grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm


def _without_conflict(push: list[Tensor | None], grads: list[Tensor | None]) -> list[Tensor | None]:
    """``push`` less its projection on ``grads``, all tables as one vector, where their product is negative."""
    both = [(p, g) for p, g in zip(push, grads, strict=True) if p is not None and g is not None]
    along = torch.stack([(p * g).sum() for p, g in both]).sum()
    length = torch.stack([g.square().sum() for _, g in both]).sum()
    share = (along / length.clamp_min(torch.finfo(length.dtype).tiny)).clamp_max(0)
    return [
        p if p is None or g is None else torch.addcmul(p, g, -share)
        for p, g in zip(push, grads, strict=True)
    ]


def _add(grad: Tensor | None, push: Tensor | None, scale: Tensor) -> Tensor | None:
    if push is None:
        return grad
    return scale * push if grad is None else torch.addcmul(grad, push, scale)
