from __future__ import annotations

from darec.testing.suites import BackboneSuite


class TestGCCF(BackboneSuite):
    name = "gccf"
