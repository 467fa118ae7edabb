"""A local stand-in for the world that Arc gateway stacks are deployed to: Azure, clusters, proxies and the gateway.

The product never imports it; it is reached through environment variables alone (`python -m sandbox env`).
"""
