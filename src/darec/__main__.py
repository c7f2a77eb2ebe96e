"""``python -m darec``: the ``darec`` command."""

import sys

from darec.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
