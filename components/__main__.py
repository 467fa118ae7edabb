"""The components as a package for programs in other languages: what the engine starts."""

import sys

from arcgateway_components.package import Package
from pulumi.provider import main

if __name__ == "__main__":
    main(Package(), sys.argv[1:])
