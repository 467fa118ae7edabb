"""The same leaves, each in a component that does nothing: the measure of ours.

A class of its own, as every program's components are: the SDK records where such a one was made, which costs state.
"""

import plain
import pulumi


class Bare(pulumi.ComponentResource):
    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"bench:index:{kind}", name)
        self.register_outputs({})


plain.declare(lambda kind, name: pulumi.ResourceOptions(parent=Bare(kind, name)))
