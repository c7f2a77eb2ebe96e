"""What tests of darec and of parts outside it share: planted worlds and conformance suites."""
