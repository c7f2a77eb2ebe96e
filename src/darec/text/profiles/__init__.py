"""Profiles of items and users, written by a language model behind any OpenAI-compatible endpoint."""

from darec.text.profiles.costs import Price
from darec.text.profiles.profile import Profiler
from darec.text.profiles.report import CostEstimate, ProfileReport

__all__ = ["CostEstimate", "Price", "ProfileReport", "Profiler"]
