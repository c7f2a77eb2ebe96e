"""DaRec: disentangled structure alignment (Yang et al., arXiv 2408.08231, ICDE 2025).

Four projectors split each side, E_C and E_L, into a shared and a specific part. Four losses, pure functions of tensors
and one file each, shape them: orthogonality keeps a row's two parts apart, uniformity keeps the specific parts from
emptying, global structure matches the pairwise similarities of the shared parts, local structure the centres of their
preference clusters.

Departures from the paper, each a setting of :class:`DaRecConfig`; ``preset="paper"`` undoes them all:

- Structure is aligned where encoding starts, and not by losses alone (docs/studies/structure.md). The backbone's ids
  start as the coordinates of their text (``start``): at the first step the similarities of E_C are those of E_L. Each
  item then enters the backbone averaged with its nearest neighbours in text (``smoothing``), so that what is
  near in text stays near in E_C while ids learn what is specific to clicks, and an item with few clicks is told by its
  neighbours'. How much is averaged is in proportion to how well, by the training interactions, an item's neighbours
  stand in for its own users (``reliability``, docs/studies/reliability.md). Both read the shared part of the language
  alone, found in closed form (``text_part``, :func:`darec.graph.shared_text`, docs/studies/shared-text.md). Nothing
  but E_C is scored, unless ``text_width`` puts a table of the text alone beside it (docs/studies/parts.md).
- The projectors are linear (``hidden``) and global structure weighs 10 (``w_glo``). With MLPs and weights of one, as
  in the paper, the shared parts agree by emptying themselves: in a planted world the shared factors fade from C_sh,
  which the defaults recover in full (tests/alignments/test_darec_alignment.py).
- The shared parts are centred (``centre``). Without it, rows that all point one way make both structure terms vanish;
  training on games ended there (docs/studies/collapse.md).
- Users and items are aligned apart (``entities``): neither side's structure compares a user with an item.
  ``together`` is the paper's one set of N entities.
- The push on E_C is balanced against the recommendation gradient (``balance``, see darec.alignments.base), since
  these losses do not change with the scale of E_C and so their gradient grows as E_C shrinks. ``fixed`` is the paper's
  lambda.
- Clusters are matched at least cost (``matching``); the paper's adaptive matching is ``greedy``.
- One step in four aligns (``every``), on 1,024 rows: an epoch then costs about what the backbone's does.

docs/studies/first-darec.md measures both forms.
"""

from darec.alignments.darec.alignment import DaRec
from darec.alignments.darec.global_structure import (
    StructureProducts,
    global_structure_loss,
    structure_gap,
    structure_products,
)
from darec.alignments.darec.local_structure import local_structure_loss
from darec.alignments.darec.orthogonality import orthogonality_loss
from darec.alignments.darec.settings import DaRecConfig
from darec.alignments.darec.text_input import content_tables
from darec.alignments.darec.uniformity import uniformity_loss
from darec.numerics.kmeans import Clusters, kmeans
from darec.numerics.matching import match_clusters

__all__ = [
    "Clusters",
    "DaRec",
    "DaRecConfig",
    "StructureProducts",
    "content_tables",
    "global_structure_loss",
    "kmeans",
    "local_structure_loss",
    "match_clusters",
    "orthogonality_loss",
    "structure_gap",
    "structure_products",
    "uniformity_loss",
]
