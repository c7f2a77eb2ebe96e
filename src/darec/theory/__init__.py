"""The information-gap theorem, executable: what exact alignment costs, in a finite world and in a data set.

Two sources, D (interactions) and D' (text), have information about a target Y. If both are encoded into the same
representation, the best cross-entropy from it exceeds the best from the raw sources by at least ``delta_p = |I(D;Y) -
I(D';Y)|`` (Jiang et al., CVPR 2023, Theorem 3.1; Yang et al., arXiv 2408.08231, Theorem 1).

- :mod:`~darec.theory.information`: a checked distribution p(d, d', y) and its informations;
- :mod:`~darec.theory.zero_gap`: the exact cost of exact alignment, which the theorem bounds from below;
- :mod:`~darec.theory.near_gap`: the trade-off between alignment and cross-entropy on the way there;
- :mod:`~darec.theory.worlds`: a few small worlds;
- :mod:`~darec.theory.check`: estimates of the same from a data set;
- :mod:`~darec.theory.sweep`: trained recommenders over a range of alignment strengths.

All informations are in nats. docs/theory.md is the introduction.
"""
