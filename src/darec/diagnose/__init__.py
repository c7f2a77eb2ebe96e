"""Questions to a data set before anything is trained: how much of the text space says anything about taste."""

from darec.diagnose.text_report import TextReport, text_report

__all__ = ["TextReport", "text_report"]
