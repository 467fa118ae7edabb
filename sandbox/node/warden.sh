#!/bin/sh
# Kills what a node's pods started, when the node is gone. Reads "+ GROUP" and "- GROUP" (process groups) from its standard
# input, which ends with the node however it dies; a signal at the parent's death would reach children, not grandchildren.
trap '' INT TERM HUP
groups=' '
while read -r verb group; do
    case $verb in
        +) groups="$groups$group " ;;
        -) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group" 2>/dev/null
done
