from darec.testing.suites import AlignmentSuite


class TestIt(AlignmentSuite):
    name = "contrastive"
