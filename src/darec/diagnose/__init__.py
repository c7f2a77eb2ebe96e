"""Reports on a data set before training: how much its texts say about users' taste."""

from darec.diagnose.text_report import TextReport, text_report

__all__ = ["TextReport", "text_report"]
