"""What people look at: plots and self-contained pages."""
