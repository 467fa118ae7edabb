"""The same leaves in no component at all."""

import plain
import pulumi

plain.declare(lambda kind, name: pulumi.ResourceOptions())
