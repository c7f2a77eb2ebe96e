"""DaRec (Yang et al., arXiv 2408.08231): four projectors, four losses on their outputs, and diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from darec.alignments.base import Alignment, AlignmentInputs
from darec.alignments.darec.ablations import ABLATIONS
from darec.alignments.darec.global_structure import global_structure_loss, structure_gap
from darec.alignments.darec.item_structure import CLOSED_FORM_ALONE, READ, item_structure
from darec.alignments.darec.local_structure import local_structure_loss
from darec.alignments.darec.orthogonality import orthogonality_loss
from darec.alignments.darec.settings import DaRecConfig
from darec.alignments.darec.text_input import TextInput
from darec.alignments.darec.uniformity import uniformity_loss
from darec.errors import ConfigError
from darec.numerics.diagnostics import (
    effective_rank,
    is_collapsed,
    representation_gap,
    similarity_spread,
)
from darec.numerics.kmeans import kmeans
from darec.numerics.matching import match_clusters
from darec.numerics.mlp import mlp
from darec.numerics.structure import Structure
from darec.processes import Kind
from darec.types import Batch, Encoded, Interactions, Tables, TextTable

SIDES = ("C", "L")


class DaRec(Alignment[DaRecConfig]):
    """Disentangled structure alignment (Yang et al., arXiv 2408.08231).

    Args:
        config: settings.
        inputs: sizes, E_L, the generator of initial values, and the model's services (unused here).

    Raises:
        ConfigError: there are more clusters than entities, or than rows drawn for a step.
    """

    closed_form: ClassVar[bool] = True
    ablations: ClassVar[Mapping[str, Mapping[str, Any]]] = ABLATIONS
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True
    centres: Tensor
    started: Tensor

    def __init__(self, config: DaRecConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        sizes = {"users": inputs.n_users, "items": inputs.n_items}
        if config.entities == "together":
            sizes = {"entities": inputs.n_users + inputs.n_items}
        self.sizes = list(sizes.values())
        for kind, size in sizes.items():
            rows = min(size, self._n_drawn) if self._n_drawn else size
            if config.n_clusters > rows:
                raise ConfigError(
                    f"alignment.n_clusters: {config.n_clusters} clusters of {rows} {kind} (of {size}, as many as a "
                    "step draws): lower n_clusters or raise alignment.n_sampled."
                )

        def projector(in_dim: int) -> nn.Sequential:
            widths = in_dim, *config.hidden, config.dim
            return mlp(*widths, activation=nn.ReLU, generator=inputs.generator)

        self.sides = [inputs.n_users, inputs.n_items]
        self.text_input = TextInput(config, inputs)
        widths = {"C": inputs.out_dim, "L": inputs.text_dim}
        self.shared = nn.ModuleDict({side: projector(widths[side]) for side in SIDES})
        self.specific = nn.ModuleDict({side: projector(widths[side]) for side in SIDES})
        shape = (len(self.sizes), len(SIDES), config.n_clusters, config.dim)
        self.register_buffer("centres", torch.zeros(shape))
        self.register_buffer("started", torch.tensor(False))

    @classmethod
    def structure(
        cls, config: DaRecConfig, text: TextTable, train: Interactions
    ) -> Structure | None:
        """For a closed-form backbone: see :func:`darec.alignments.darec.item_structure.item_structure`."""
        return item_structure(config, text, train)

    @classmethod
    def idle(cls, *, closed_form: bool, has_ids: bool) -> frozenset[str]:
        """With closed-form backbones, the settings that :func:`item_structure` does not read.

        With trained backbones, the settings that only it reads, and without ids also ``start``.
        """
        if closed_form:
            return frozenset(cls.Config.model_fields) - {"name"} - READ
        return CLOSED_FORM_ALONE | (frozenset() if has_ids else {"start"})

    def initial_ids(self, ids: Tensor) -> Tensor:
        """The initial id table: see :meth:`TextInput.start`."""
        return self.text_input.start(ids, self.text)

    def fuse(self, ego: Tensor, generator: torch.Generator | None) -> Tensor:
        """Items averaged with their neighbours in text: see :meth:`TextInput.smooth`."""
        return self.text_input.smooth(ego)

    def represent(self, encoded: Encoded) -> Tables:
        """E_C as the run's loss scores it and, with ``text_width``, the columns of the text's own table."""
        return self.text_input.beside(super().represent(encoded))

    @property
    def _n_drawn(self) -> int | None:
        """Number of rows drawn from each set of entities."""
        return self.config.n_sampled and max(2, self.config.n_sampled // len(self.sizes))

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The four weighted terms, each averaged over the sets of entities; empty in steps that do not align."""
        totals: dict[str, Tensor] = {}
        if batch.step % self.config.every:
            return totals
        together = self.config.entities == "together"
        kinds: tuple[Kind, ...] = ("entities",) if together else ("users", "items")
        for index, (E_C, E_L) in enumerate(self._sets(encoded)):
            rows = self._draw(len(E_L), batch.generator)
            if rows is not None:
                E_L = E_L.index_select(0, rows)
            E_C = self.layout.gathered(E_C, kinds[index], rows)
            for name, term in self.terms(*self._project(E_C, E_L), index, batch):
                term = term / len(self.sizes)
                totals[name] = totals[name] + term if name in totals else term
        self.started.fill_(True)
        return totals

    def terms(
        self, C_sh: Tensor, C_sp: Tensor, L_sh: Tensor, L_sp: Tensor, index: int, batch: Batch
    ) -> Iterator[tuple[str, Tensor]]:
        """The weighted terms of one set of entities. Terms of weight zero are not computed."""
        config = self.config
        if config.w_or:
            yield "orthogonality", config.w_or * orthogonality_loss(C_sh, C_sp, L_sh, L_sp)
        if config.w_uni:
            term = uniformity_loss(
                C_sp, L_sp, n_sampled=config.uniformity_pairs, generator=batch.generator
            )
            yield "uniformity", config.w_uni * term
        if config.w_glo:
            yield "global", config.w_glo * global_structure_loss(C_sh, L_sh)
        if config.w_loc:
            yield "local", config.w_loc * self.local_term(C_sh, L_sh, index, batch)

    def local_term(self, C_sh: Tensor, L_sh: Tensor, index: int, batch: Batch) -> Tensor:
        """Cluster both sides from the last centres, match the clusters and compare their centres."""
        config = self.config
        clusters = [
            kmeans(
                part.detach(),
                config.n_clusters,
                centres=known if self.started else None,
                n_iterations=1 if self.started else 20,
                generator=batch.generator,
            )
            for part, known in zip((C_sh, L_sh), self.centres[index], strict=True)
        ]
        self.centres[index] = torch.stack([side.centres for side in clusters])
        matching = match_clusters(clusters[0].centres, clusters[1].centres, config.matching)
        return local_structure_loss(
            C_sh, L_sh, clusters[0].assignments, clusters[1].assignments, matching
        )

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """Ranks, spreads and gaps over all rows of each set of entities, averaged over the sets.

        ``collapsed`` is 1 if the shared part of either side has become one direction in any set. ``smoothing`` is the
        setting times the neighbours' reliability. ``neighbour_recall`` is present if the neighbours in text are not
        exact (:mod:`darec.graph.nearest`).
        """
        sets = []
        for E_C, E_L in self._sets(encoded):
            C_sh, C_sp, L_sh, L_sp = self._project(E_C, E_L)
            sets.append(
                {
                    "rank/C_sh": effective_rank(C_sh),
                    "rank/L_sh": effective_rank(L_sh),
                    "rank/C_sp": effective_rank(C_sp),
                    "rank/L_sp": effective_rank(L_sp),
                    "spread/C_sh": similarity_spread(C_sh),
                    "spread/L_sh": similarity_spread(L_sh),
                    "gap/points": representation_gap(C_sh, L_sh),
                    "gap/structure": structure_gap(C_sh, L_sh),
                    "collapsed": float(is_collapsed(C_sh) or is_collapsed(L_sh)),
                }
            )
        means = {name: sum(found[name] for found in sets) / len(sets) for name in sets[0]}
        means |= {"smoothing": self.text_input.smoothing, **self.text_input.told}
        return {**means, "collapsed": max(found["collapsed"] for found in sets)}

    def parts(self, encoded: Encoded) -> dict[str, dict[str, Tensor]]:
        """C_sh, C_sp, L_sh and L_sp of users and of items, each [n, dim]."""
        sets = [self._project(*both) for both in self._sets(encoded)]
        by_part = (torch.cat(part).split(self.sides) for part in zip(*sets, strict=True))
        users, items = zip(*by_part, strict=True)
        names = ("C_sh", "C_sp", "L_sh", "L_sp")
        return {
            "users": dict(zip(names, users, strict=True)),
            "items": dict(zip(names, items, strict=True)),
        }

    def _project(self, E_C: Tensor, E_L: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """C_sh, C_sp, L_sh, L_sp, each [n, dim]."""
        C_sh, L_sh = self.shared["C"](E_C), self.shared["L"](E_L)
        if self.config.centre:
            C_sh, L_sh = C_sh - C_sh.mean(0), L_sh - L_sh.mean(0)
        return C_sh, self.specific["C"](E_C), L_sh, self.specific["L"](E_L)

    def _sets(self, encoded: Encoded) -> list[tuple[Tensor, Tensor]]:
        """(E_C, E_L) of each set of entities that is aligned separately."""
        if self.config.entities == "together":
            return [(encoded.entities, torch.cat([self.text.users, self.text.items]))]
        return [(encoded.users, self.text.users), (encoded.items, self.text.items)]

    def _draw(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Distinct rows for a step, drawn at a cost that does not grow with ``n``; None for all rows.

        Rows are drawn with replacement and duplicates are removed, so there are slightly fewer than asked for.
        """
        if self._n_drawn is None or self._n_drawn >= n:
            return None
        drawn = torch.randint(n, (self._n_drawn,), generator=generator, device=generator.device)
        rows: Tensor = torch.unique(drawn)
        return rows
