#!/bin/sh
# Stands for an Arc agent: says what it is, and waits. A shell, because a dozen of these run in each cluster.
# The one agent with something to do, the heartbeat, becomes the Python program beside this file.
# Argument: the Python interpreter. Environment: HOSTNAME (the pod's name), AGENT_ROLE.
if [ "${AGENT_ROLE:-}" = cluster-metadata-operator ]; then
    exec "$1" -I -S "${0%/*}/agent.py"
fi

say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"; }

way=${HTTPS_PROXY:+through HTTPS_PROXY}  # never its value, which may hold a password
say "${HOSTNAME:-agent} started (pid $$); outbound: ${way:-direct}"
trap 'say "SIGTERM: stopping"; kill "$child" 2>/dev/null; exit 0' TERM
while :; do
    sleep 86400 &
    child=$!
    wait "$child"
done
