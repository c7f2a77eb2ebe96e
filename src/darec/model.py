"""A model: a backbone with an alignment. Only this module uses both.

The model adds the named losses and performs the steps of training. It also defines the parameters of the L2 term: all
of them, by the optimiser's own weight decay, as in the RLMRec code, except biases of the alignment's networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from darec.alignments.balance import balanced
from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.backbones.base import Backbone, BackboneInputs
from darec.config import RunConfig
from darec.data.sampling import Sampler
from darec.errors import ConfigError
from darec.graph import Graph, GraphSpec
from darec.losses import RankingLoss
from darec.processes import WHOLE, Layout
from darec.registry import ALIGNMENTS, BACKBONES
from darec.seeding import seeded
from darec.types import Batch, Encoded, Interactions, Tables, TextTable


class Model(nn.Module):
    """Backbone plus alignment over one training split.

    Args:
        config: the run's configuration.
        train: training interactions; the only interactions a model ever sees.
        text: language embeddings. They are needed if :meth:`needs_text` is True, and otherwise ignored.
        generator: source of the initial values.
        layout: how tables are divided among processes; each part must say that it can be, by ``by_columns`` or
            ``by_rows``.
    """

    def __init__(
        self,
        config: RunConfig,
        train: Interactions,
        text: TextTable | None,
        generator: torch.Generator,
        layout: Layout = WHOLE,
    ) -> None:
        super().__init__()
        self.layout = layout
        if BACKBONES.get(config.backbone.name).closed_form:
            raise ConfigError(
                f"backbone {config.backbone.name!r} is solved in closed form, so there are no representations to train "
                "or to look at: choose a trained backbone."
            )
        self.require_text(config, text)
        self.sampler = Sampler(train, layout)
        self.ranking = RankingLoss(config.loss, self.sampler, layout)
        self.seed = generator.initial_seed()
        with seeded(self.seed):  # a part may hold a torch.nn.Linear
            self._build(config, train, text, generator)
        pushes = isinstance(config.alignment, AlignmentConfig)
        self.alignment_config = cast(AlignmentConfig, config.alignment) if pushes else None

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
        spec: GraphSpec | None = backbone_class.graph_spec(config.backbone)
        read = spec == GraphSpec() or alignment_class.needs_graph
        plain = Graph(train if read else _without_pairs(train), layout=self.layout)
        graph = None if spec is None else plain
        if spec is not None and spec != GraphSpec():
            graph = Graph(train, spec, self.layout)
        self.backbone: Backbone[Any] = backbone_class(
            config.backbone,
            BackboneInputs(
                n_users=train.n_users,
                n_items=train.n_items,
                graph=graph,
                ranking=self.ranking,
                text=E_L if backbone_class.needs_text else None,
                generator=generator,
                layout=self.layout,
            ),
        )
        self.alignment: Alignment[Any] = alignment_class(
            config.alignment,
            AlignmentInputs(
                n_users=train.n_users,
                n_items=train.n_items,
                ego_dim=self.layout.whole_width(self.backbone.ego().shape[1]),
                out_dim=self.backbone.out_dim,
                text=E_L if alignment_class.needs_text else nothing,
                item_mask=torch.as_tensor(text.item_mask if text else [], dtype=torch.bool),
                graph=plain,
                ranking=self.ranking,
                generator=generator,
                layout=self.layout,
            ),
        )
        if self.backbone.has_ids:
            self._start_ids()

    @torch.no_grad()
    def _start_ids(self) -> None:
        """Let the alignment set the initial id table. It receives the whole table."""
        ids, layout = self.backbone.embedding, self.layout
        if not layout.divided:
            ids.copy_(self.alignment.initial_ids(ids.clone()))
        elif type(self.alignment).initial_ids is not Alignment.initial_ids:
            whole = layout.collected(ids, "entities")
            started = None if whole is None else self.alignment.initial_ids(whole)
            ids.copy_(layout.handed(started, ids, "entities"))

    @property
    def divided(self) -> frozenset[str]:
        """Names of the parameters that are divided among processes; all others are equal on all."""
        found = self.layout.divided and self.backbone.has_ids
        return frozenset({"backbone.embedding"} if found else ())

    @staticmethod
    def needs_text(config: RunConfig) -> bool:
        """Whether the backbone or the alignment reads language embeddings."""
        pairs = [(config.backbone.name, config.alignment.name)]
        if config.beside is not None and config.beside.backbone is not None:
            pairs.append((config.beside.backbone.name, config.beside.alignment.name))
        return any(BACKBONES.get(b).needs_text or ALIGNMENTS.get(a).needs_text for b, a in pairs)

    @staticmethod
    def require_text(config: RunConfig, text: TextTable | None) -> None:
        """Raise ``ConfigError`` if language embeddings are needed and there are none."""
        if text is None and Model.needs_text(config):
            raise ConfigError(
                f"backbone {config.backbone.name!r} with alignment {config.alignment.name!r} needs language "
                "embeddings: run 'darec encode' on the dataset first."
            )

    def encode(
        self, batch: Batch | None = None, generator: torch.Generator | None = None
    ) -> Encoded:
        """E_C, with the randomness of training if a batch and a generator are given, otherwise deterministic."""
        self.train(generator is not None)  # a part may hold a torch.nn.Dropout
        draws = batch.generator if batch else None
        ego = self.alignment.fuse(self.backbone.ego(), draws)
        return self.backbone.encode(ego, generator)

    @torch.no_grad()
    def encoded(self) -> Encoded | None:
        """E_C of all entities, without randomness and gradient; None on all processes but the leader."""
        encoded, layout = self.encode(), self.layout
        users = layout.collected(encoded.users, "users")
        items = layout.collected(encoded.items, "items")
        return None if users is None or items is None else Encoded(users, items)

    @torch.no_grad()
    def tables(self, encoded: Encoded | None = None) -> Tables:
        """The two tables whose inner product scores every user and item; no gradient.

        Args:
            encoded: the result of :meth:`encoded`, if it was already computed. It is required with several processes.
        """
        tables = self.alignment.represent(encoded or self.encode())
        return Tables(tables.users.detach(), tables.items.detach())

    @torch.no_grad()
    def diagnostics(self, encoded: Encoded | None = None) -> dict[str, float]:
        """The alignment's diagnostics, without gradient. ``encoded`` is as for :meth:`tables`."""
        return self.alignment.diagnostics(encoded or self.encode())

    def train_step(
        self,
        users: Tensor,
        items: Tensor,
        optimizer: torch.optim.Optimizer,
        *,
        step: int,
        generator: torch.Generator,
        alignment_generator: torch.Generator,
        bf16: bool = False,
    ) -> dict[str, Tensor]:
        """One step of training: negatives, all losses and their gradients, and the optimiser's move.

        Args:
            users: [B] long.
            items: [B] long, the positives.
            optimizer: over :meth:`parameter_groups`.
            step: number of the step since training began, from 0.
            generator: source of negatives, and of the backbone's dropout and views.
            alignment_generator: a separate source of the alignment's draws, so that runs that differ only in the
                alignment have the same batches and dropout.
            bf16: compute under autocast.

        Returns:
            The named scalars of :meth:`backward`. The parameters keep the gradients of this step.
        """
        with seeded(self.seed, users.device, step):
            self.backbone.on_step(step, generator)
            self.alignment.on_step(step, alignment_generator)
            with torch.autocast(users.device.type, torch.bfloat16, enabled=bf16):
                batch = self.ranking.batch(
                    users, items, step, generator=generator, alignment_generator=alignment_generator
                )
                optimizer.zero_grad(set_to_none=True)
                report = self.backward(batch, generator)
            optimizer.step()
        return report

    def backward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Compute all losses of a step and add their gradients to the parameters'.

        The graph is cut at the backbone's output. Recommendation and alignment losses are differentiated separately
        down to the cut. The two gradients are balanced there (:mod:`darec.alignments.balance`), and a single backward
        pass takes their sum through the propagation. So the balance costs two norms and no second pass.

        Args:
            batch: positives, negatives and the generator of the alignment's draws.
            generator: source of the backbone's dropout and views.

        Returns:
            Detached scalars: each named loss and, with an alignment that has a gradient on E_C, those of
            :func:`darec.alignments.balance.balanced`.
        """
        outputs = _flat(self.encode(batch, generator))
        cut = [output.detach().requires_grad_() for output in outputs]
        on_cut = _rebuild(cut)
        ranking = dict(self.backbone.losses(on_cut, batch))
        pushing: dict[str, Tensor] = {}
        for name, term in self.alignment.losses(on_cut, batch).items():
            own = name in self.alignment.recommendation_terms
            (ranking if own else pushing)[name] = term
        shared = bool(pushing) and bool(self.alignment.recommendation_terms)
        grads = _gradient(ranking, cut, keep=shared)
        report = {name: term.detach() for name, term in {**ranking, **pushing}.items()}
        if pushing and self.alignment_config is not None:
            weight = self.alignment_config.loss_weight(batch.step)
            push = _gradient(pushing, cut, weight=weight)
            grads, figures = balanced(grads, push, self.alignment_config, batch.step, self.layout)
            report |= figures
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


def _gradient(
    terms: Mapping[str, Tensor], cut: list[Tensor], *, weight: float = 1.0, keep: bool = False
) -> list[Tensor | None]:
    """The gradient of the weighted sum of the terms at the cut.

    Other parameters of the terms receive their gradients too.
    """
    for leaf in cut:
        leaf.grad = None
    total = torch.stack(list(terms.values())).sum()
    (total if weight == 1.0 else weight * total).backward(retain_graph=keep)
    return [leaf.grad for leaf in cut]


def _without_pairs(train: Interactions) -> Interactions:
    """The same users and items, who have nothing."""
    none = np.zeros(0, np.int64)
    return Interactions.from_pairs(none, none, train.n_users, train.n_items)
