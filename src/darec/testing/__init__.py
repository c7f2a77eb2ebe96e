"""Shared tools for tests of darec and of parts outside it: planted worlds and conformance suites."""
