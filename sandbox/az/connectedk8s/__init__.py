"""`az connectedk8s ...`: onboarding a cluster, changing it, taking it away."""
