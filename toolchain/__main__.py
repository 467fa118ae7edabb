"""`python3 -m toolchain`. This file alone is read by a Python of any age, so that it can say that one is too old."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # it is an old one that reads this
    sys.exit("toolchain: this Python is older than 3.11: run `python3.11 -m toolchain`, or with a newer Python")

from toolchain.command import main

sys.exit(main(sys.argv[1:]))
