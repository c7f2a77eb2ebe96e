"""What every backbone must do: run pytest after pip install -e ."""

from darec.testing.suites import BackboneSuite


class TestOneHop(BackboneSuite):
    """The suite, for the backbone of this package."""

    name = "onehop"
