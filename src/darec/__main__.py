"""``python -m darec``: the ``darec`` command."""

import os
import sys

from darec.cli.main import main

if __name__ == "__main__":
    status = main()
    if "RANK" in os.environ:
        from darec.processes.launch import leave

        leave(status)
    sys.exit(status)
