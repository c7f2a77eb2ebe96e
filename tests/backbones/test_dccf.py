from __future__ import annotations

from darec.testing.suites import BackboneSuite


class TestDCCF(BackboneSuite):
    name = "dccf"
