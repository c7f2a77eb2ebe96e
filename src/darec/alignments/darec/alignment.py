"""DaRec (Yang et al., arXiv 2408.08231): four projectors, four losses on them, and what to watch while they work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.alignments.darec.global_structure import global_structure_loss, structure_gap
from darec.alignments.darec.kmeans import kmeans
from darec.alignments.darec.local_structure import local_structure_loss
from darec.alignments.darec.matching import match_clusters
from darec.alignments.darec.orthogonality import orthogonality_loss
from darec.alignments.darec.projector import Activation, Projector
from darec.alignments.darec.uniformity import uniformity_loss
from darec.config import PartConfig
from darec.diagnostics import (
    effective_rank,
    is_collapsed,
    representation_gap,
    similarity_spread,
)
from darec.errors import ConfigError
from darec.search import Choice, Range
from darec.types import Batch, Encoded, Tables

SIDES = ("C", "L")


class DaRecConfig(AlignmentConfig):
    """Settings of :class:`DaRec`."""

    name: Literal["darec"] = "darec"
    """Name of the alignment."""
    dim: int = Field(32, ge=1)
    """Width d of the shared and of the specific parts."""
    hidden: tuple[int, ...] = ()
    """Widths of the projectors' hidden layers; none is a linear map. The paper's MLPs, (64,) say, lose the shared
    factors of a planted world that linear maps recover (tests/alignments/test_darec_alignment.py)."""
    activation: Activation = "relu"
    """What follows each hidden layer."""
    centre: bool = True
    """Subtract from each shared part the mean of its rows. Without it, rows that all point one way make both structure
    terms vanish, and training ends there (docs/studies/first-darec.md); False in the paper."""
    w_or: float = Field(1.0, ge=0)
    """Weight of orthogonality; 1 in the paper, as are the other three."""
    w_uni: Annotated[float, Range(0.1, 10.0, log=True)] = Field(1.0, ge=0)
    """Weight of uniformity."""
    w_glo: Annotated[float, Range(1.0, 100.0, log=True)] = Field(10.0, ge=0)
    """Weight of global structure, a mean over n^2 pairs and so a small number. 1 in the paper; chosen on the validation
    split of toys."""
    w_loc: float = Field(1.0, ge=0)
    """Weight of local structure."""
    entities: Literal["apart", "together"] = "apart"
    """Compare users with users and items with items, or all N entities as one set, as the paper writes it."""
    every: int = Field(4, ge=1)
    """Align in one of so many steps; the steps between are the recommendation's alone. 1 in the paper."""
    n_sampled: int | None = Field(1024, ge=2)
    """N-hat, rows drawn for each step, users and items together; null takes all, whose cost is the projectors'."""
    uniformity_pairs: int | None = Field(16384, ge=1)
    """Pairs of rows that uniformity averages over, on each side; null takes all pairs of the step's rows."""
    n_clusters: Annotated[int, Choice(2, 4, 8, 16)] = Field(4, ge=1)
    """K, preference clusters on each side (of users and of items, where apart)."""
    kmeans_every: int = Field(1, ge=1)
    """Aligned steps between updates of the cluster centres, each a warm-started iteration."""
    matching: Literal["greedy", "optimal"] = "optimal"
    """How clusters find partners: the assignment of least cost, or the paper's adaptive matching, which finds fewer
    planted partners at no gain in time (benchmarks/results/matching.json)."""


class DaRec(Alignment):
    """Disentangled structure alignment (Yang et al., arXiv 2408.08231).

    Args:
        config: settings.
        inputs: sizes, the generator of initial values, and the model's services (unused here).

    Raises:
        ConfigError: more clusters than entities, or than rows drawn for a step.
    """

    Config: ClassVar[type[PartConfig]] = DaRecConfig
    centres: Tensor
    started: Tensor

    def __init__(self, config: PartConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        self.config = config = cast(DaRecConfig, config)
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

        def projector(in_dim: int) -> Projector:
            return Projector(
                in_dim,
                config.dim,
                hidden=config.hidden,
                activation=config.activation,
                generator=inputs.generator,
            )

        widths = {"C": inputs.out_dim, "L": inputs.text_dim}
        self.shared = torch.nn.ModuleDict({side: projector(widths[side]) for side in SIDES})
        self.specific = torch.nn.ModuleDict({side: projector(widths[side]) for side in SIDES})
        shape = (len(self.sizes), len(SIDES), config.n_clusters, config.dim)
        self.register_buffer("centres", torch.zeros(shape))
        self.register_buffer("started", torch.tensor(False))

    @property
    def _n_drawn(self) -> int | None:
        """Rows drawn of each set of entities."""
        return self.config.n_sampled and max(2, self.config.n_sampled // len(self.sizes))

    def losses(self, encoded: Encoded, text: Tables, batch: Batch) -> dict[str, Tensor]:
        """The four terms, weighted, each averaged over the sets of entities; none between aligned steps."""
        totals: dict[str, Tensor] = {}
        if batch.step % self.config.every:
            return totals
        for index, (E_C, E_L) in enumerate(self._sets(encoded, text)):
            rows = self._draw(len(E_C), batch.generator)
            if rows is not None:
                E_C, E_L = F.embedding(rows, E_C), F.embedding(rows, E_L)
            for name, term in self._terms(*self._project(E_C, E_L), index, batch):
                term = term / len(self.sizes)
                totals[name] = totals[name] + term if name in totals else term
        self.started.fill_(True)
        return totals

    def _terms(
        self, C_sh: Tensor, C_sp: Tensor, L_sh: Tensor, L_sp: Tensor, index: int, batch: Batch
    ) -> Iterator[tuple[str, Tensor]]:
        """The weighted terms of one set of entities; those of weight zero cost nothing."""
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
            yield "local", config.w_loc * self._local(C_sh, L_sh, index, batch)

    def _local(self, C_sh: Tensor, L_sh: Tensor, index: int, batch: Batch) -> Tensor:
        """Cluster both sides, warm-started, match the clusters and compare the centres."""
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
        if batch.step // config.every % config.kmeans_every == 0 or not self.started:
            self.centres[index] = torch.stack([side.centres for side in clusters])
        matching = match_clusters(clusters[0].centres, clusters[1].centres, config.matching)
        return local_structure_loss(
            C_sh, L_sh, clusters[0].assignments, clusters[1].assignments, matching
        )

    def diagnostics(self, encoded: Encoded, text: Tables) -> dict[str, float]:
        """Ranks, spreads and gaps over all rows of each set of entities, averaged over the sets.

        ``collapsed`` is 1 where the shared part of either side has become one direction in any set.
        """
        sets = []
        for E_C, E_L in self._sets(encoded, text):
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
        return {**means, "collapsed": max(found["collapsed"] for found in sets)}

    def _project(self, E_C: Tensor, E_L: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """C_sh, C_sp, L_sh, L_sp, each [n, dim]."""
        C_sh, L_sh = self.shared["C"](E_C), self.shared["L"](E_L)
        if self.config.centre:
            C_sh, L_sh = C_sh - C_sh.mean(0), L_sh - L_sh.mean(0)
        return C_sh, self.specific["C"](E_C), L_sh, self.specific["L"](E_L)

    def _sets(self, encoded: Encoded, text: Tables) -> list[tuple[Tensor, Tensor]]:
        """(E_C, E_L) of each set of entities that is aligned by itself."""
        if self.config.entities == "together":
            return [(encoded.entities, torch.cat([text.users, text.items]))]
        return [(encoded.users, text.users), (encoded.items, text.items)]

    def _draw(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Distinct rows for a step, at a cost that does not grow with ``n``; None for all.

        Drawn with replacement and then made distinct, so a little fewer than asked for.
        """
        if self._n_drawn is None or self._n_drawn >= n:
            return None
        drawn = torch.randint(n, (self._n_drawn,), generator=generator, device=generator.device)
        rows: Tensor = torch.unique(drawn)
        return rows
