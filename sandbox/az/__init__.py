"""Stand-in for the Azure CLI with its connectedk8s and arcgateway extensions.

It talks to ARM over HTTPS, on the public names and through the proxy of the environment, as the real client does, and
knows nothing of what answers there.
"""

from __future__ import annotations

VERSION = "2.91.0"
EXTENSIONS = {"arcgateway": "1.0.2", "connectedk8s": "1.11.2"}
