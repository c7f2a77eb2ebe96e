"""Functions of tensors and nothing else: what losses, alignments and diagnostics are computed with."""
