from __future__ import annotations

from darec.testing.suites import BackboneSuite


class TestAutoCF(BackboneSuite):
    name = "autocf"
