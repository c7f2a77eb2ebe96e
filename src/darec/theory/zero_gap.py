"""The exact cost of exact alignment.

Encoders f and g are *aligned* if f(D) = g(D') almost surely. The least cross-entropy of any predictor of Y that sees
only an aligned pair is

    inf over f, g, h of E[-log h(f(D), g(D'))_Y]  =  H(Y | K),

where K is the connected component of (D, D') in the bipartite graph whose edges are the pairs of positive probability:
the common part of D and D' (Gacs & Koerner, Problems of Control and Information Theory 2, 1973).

*Proof.* If p(d, d') > 0 then f(d) = g(d'). Along a path of such edges every f and every g takes one value, so
Z = f(D) = g(D') is a function of K almost surely, and by data processing the best cross-entropy H(Y | Z) is at least
H(Y | K). Taking for f and g the component itself is aligned and attains it. Randomness does not help. Shared by both
encoders and told to the predictor, it gives an average of deterministic pairs, each at least H(Y | K); not told, the
predictor knows less still. []

The theorem (Jiang et al., CVPR 2023, Theorem 3.1) follows: K is a function of either source, so I(K;Y) is at most the
weaker source's information, while I(D,D';Y) is at least the stronger's. With W the weaker and S the stronger source
the chain rule says what lies between the two sides:

    H(Y|K) - H(Y|D,D')  =  delta_p  +  I(W;Y|S)  +  I(W;Y|K),

so the bound is tight exactly where the weaker source adds nothing to the stronger one and knows nothing of Y beyond
the common part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from darec.theory.information import (
    Joint,
    conditional_entropy,
    informations,
    mutual_information,
)
from darec.types import IntArray


@dataclass(frozen=True)
class CommonPart:
    """The Gacs-Koerner common part: the component of every value of each source.

    Attributes:
        D: [n_D] component, in 0..n-1; -1 for a value of probability zero.
        D_prime: [n_D'] likewise.
        n: number of components.
    """

    D: IntArray
    D_prime: IntArray
    n: int


@dataclass(frozen=True)
class ZeroGap:
    """The theorem in one world, in nats.

    Attributes:
        cross_entropy: H(Y|K), the best value with exact alignment.
        best: H(Y|D,D'), the best from the raw sources.
        bound: delta_p, the theorem's lower bound on :attr:`loss`.
        weaker_adds: I(W;Y|S), what the weaker source adds to the stronger one; part of the slack.
        weaker_beyond: I(W;Y|K), what the weaker source knows beyond the common part; the rest of the slack.
        n_components: number of values of K; with one, alignment loses everything.
    """

    cross_entropy: float
    best: float
    bound: float
    weaker_adds: float
    weaker_beyond: float
    n_components: int

    @property
    def loss(self) -> float:
        """The theorem's left side: the cost of exact alignment."""
        return self.cross_entropy - self.best

    @property
    def slack(self) -> float:
        """The loss minus the bound."""
        return self.loss - self.bound


def common_part(joint: Joint) -> CommonPart:
    """Components of the support graph; linear in the size of the distribution."""
    pairs = joint.p.sum(2)
    n_D, n_D_prime = pairs.shape
    d, d_ = np.nonzero(pairs)
    graph = sparse.coo_array((np.ones(len(d), bool), (d, d_ + n_D)), shape=(n_D + n_D_prime,) * 2)
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    seen = np.concatenate([pairs.any(1), pairs.any(0)])
    # Values that never occur are components of their own there; number the others without holes.
    kept, labels[seen] = np.unique(labels[seen], return_inverse=True)
    of_all: IntArray = np.where(seen, labels, -1).astype(np.int64)
    return CommonPart(of_all[:n_D], of_all[n_D:], len(kept))


def zero_gap(joint: Joint) -> ZeroGap:
    """Both sides of the theorem, and the parts of their difference."""
    found, common = informations(joint), common_part(joint)
    with_K = np.zeros((common.n, joint.p.shape[2]))
    seen = common.D >= 0
    np.add.at(with_K, common.D[seen], joint.of_D[seen])
    weaker = min(found.I_D, found.I_D_prime)
    return ZeroGap(
        cross_entropy=conditional_entropy(with_K),
        best=found.cross_entropy,
        bound=found.delta_p,
        weaker_adds=found.I_both - max(found.I_D, found.I_D_prime),
        weaker_beyond=weaker - mutual_information(with_K),
        n_components=common.n,
    )
