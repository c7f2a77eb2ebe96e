"""Functions of tensors that losses, alignments and diagnostics use."""
