"""The ``darec`` command: one file a subcommand, wired together in main.py."""
