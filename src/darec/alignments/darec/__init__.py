"""DaRec: disentangled structure alignment (Yang et al., arXiv 2408.08231, ICDE 2025).

Four projectors split each side, E_C and E_L, into a shared and a specific part. Four losses shape the parts. Each is a
pure function of tensors in its own file. Orthogonality keeps a row's two parts apart. Uniformity keeps information in
the specific parts. Global structure matches the pairwise similarities of the shared parts. Local structure matches the
centres of their preference clusters.

The defaults depart from the paper as follows. Each departure is a setting of :class:`DaRecConfig`, and
``preset="paper"`` undoes them all:

- Structure is also aligned at the backbone's input, and not only by losses (docs/studies/structure.md). The ids start
  as the coordinates of their text (``start``), so the first similarities of E_C are those of E_L. Each item then enters
  the backbone averaged with its nearest neighbours in text (``smoothing``). Items that are near in text therefore stay
  near in E_C, while the ids learn what is specific to clicks. An item with few clicks learns from its neighbours'
  clicks. The share of the neighbours is proportional to their ``reliability``, which the training interactions measure:
  how well an item's neighbours predict its users (docs/studies/reliability.md). Both ``start`` and ``smoothing`` read
  only the shared part of the language, which is found in closed form (``text_part``, :func:`darec.graph.shared_text`,
  docs/studies/shared-text.md). Only E_C is scored, unless ``text_width`` adds a table of the text
  (docs/studies/parts.md).
- The projectors are linear (``hidden``) and the weight of global structure is 10 (``w_glo``). With MLPs and weights of
  one, as in the paper, the shared parts agree because they lose their content. In a planted world the shared factors
  disappear from C_sh, while the defaults recover them in full (tests/alignments/test_darec_alignment.py).
- The shared parts are centred (``centre``). Without it, both structure terms are zero if all rows point in one
  direction; training on games ended in that state (docs/studies/collapse.md).
- Users and items are aligned separately (``entities``), so no user is compared with an item. ``together`` is the
  paper's single set of N entities.
- The alignment's gradient on E_C is scaled relative to the recommendation gradient (``balance``, see
  darec.alignments.base). These losses do not depend on the scale of E_C, so their gradient grows when E_C shrinks.
  ``fixed`` is the paper's lambda.
- Clusters are matched by the assignment of least cost (``matching``). The paper's adaptive matching is ``greedy``.
- Only every fourth step aligns (``every``), on 1,024 rows. An epoch then takes about as long as that of the backbone
  without alignment.

docs/studies/first-darec.md compares the paper's form with the defaults of that time.
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
