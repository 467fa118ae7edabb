"""A fleet's run: stage after stage (the gateways, then ring by ring), the stacks of a stage side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol

from arcgateway.errors import Failure
from arcgateway.fleet import gate
from arcgateway.fleet.description import Gate
from arcgateway.fleet.moves import Move, by_stacks, moves
from arcgateway.fleet.partition import GATEWAY, FleetStack

if TYPE_CHECKING:
    from pulumi.automation import StackSummary

    from arcgateway.fleet.board import Board
    from arcgateway.fleet.runner import Outcome, Runner

Work = Callable[[FleetStack], "Outcome"]

#: Seconds between two looks of the main thread, which alone hears signals.
_LISTEN = 0.2


@dataclass(frozen=True)
class Stage:
    """Stacks whose turn is the same.

    Attributes:
        name: the ring's name; `gateways` for the stacks before all rings.
        stacks: them.
        gate: what the ring has to pass; None for gateways.
    """

    name: str
    stacks: tuple[FleetStack, ...]
    gate: Gate | None = None


class World(Protocol):
    """What a rollout asks of the world besides the engine."""

    def preflight(self, stacks: Sequence[FleetStack]) -> None:
        """Probe the ring's endpoints.

        Raises:
            Failure: something is closed.
        """

    def connectivity(self, stacks: Sequence[FleetStack]) -> Mapping[str, str]:
        """What Azure says of the clusters of stacks, by their ids."""


@dataclass
class Rollout:
    """Takes the stages of a fleet through a verb.

    Attributes:
        runner: does the work on a stack.
        board: shows it.
        world: Azure and the network.
        parallel: stacks side by side.
        max_failures: once so many clusters have failed, no further stack is begun.
        connected_within: seconds that a ring's clusters get to be connected.
        is_ours: whether a stack's name is one that the fleet gives.
        homes: the stack of each cluster in the file, whether or not its turn comes in this run.
        whole: whether all of the file is asked for, so that what no stage has is left over.
        outcomes: the last one of each stack so far.
        moves: clusters that are in another stack now.
        stopped: why the run ended early; empty where it did not.
    """

    runner: Runner
    board: Board
    world: World
    parallel: int
    max_failures: int
    connected_within: float
    is_ours: Callable[[str], bool] = lambda _name: False
    homes: Mapping[str, FleetStack] = field(default_factory=dict)
    whole: bool = True
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    stopped: str = ""

    def plan(self, stages: Iterable[Stage], *, refresh: bool = False) -> None:
        """Look what each stack would change; nothing is changed, and no stack is made."""
        stacks = [stack for stage in stages for stack in stage.stacks]
        there = self.runner.existing()
        # A gateway's stack that was made and came to nothing, or was destroyed, tells nobody of a gateway.
        needed = {name for stack in stacks for name in stack.needs if name in there}
        up = {name for name in needed if there[name].resource_count and self.runner.outputs(name)}

        def look(stack: FleetStack) -> Outcome:
            if lacking := [name for name in stack.needs if name not in up]:
                return self._waiting(stack, lacking)
            if stack.name in there:
                return self._looked(stack, refresh=refresh)
            return self._worked(stack, "preview", self.runner.imagine)

        looked = self._side_by_side(stacks, look)
        self.moves = moves(looked, self.homes, cache(lambda: self._holders(there)))
        for source, target, clusters in by_stacks(self.moves):
            self.board.tell(f"{', '.join(clusters)} of {source} will be of {target}: `up` takes the state along")
        self._tell_left_over(self._left_over(there, stacks))

    def up(self, stages: Sequence[Stage], *, prune: bool) -> None:
        """Bring stage after stage up, each through its gate, until one does not pass.

        Args:
            stages: in their order.
            prune: take down what earlier versions of the file had and this one has not, after all else.
        """
        found = self.runner.existing()
        there = set(found)
        holders = cache(lambda: self._holders(found))
        for number, stage in enumerate(stages):
            if self.stopped:
                self._skip(stage.stacks, f"not begun: {self.stopped}")
                continue
            changed = self._bring_up(stage, there, holders)
            if stage.gate is not None and not self.stopped:
                self._leave(stage, stage.gate, last=number == len(stages) - 1, changed=changed)
        left = self._left_over(found, [stack for stage in stages for stack in stage.stacks])
        if prune and not self.stopped:
            for kind in ("clusters", "gateway"):
                self._take_down([stack for stack in left if stack.kind == kind], "what was left over")
        else:
            self._tell_left_over(left)

    def refresh(self, stages: Iterable[Stage]) -> None:
        """Bring the states in line with what is there, and then hold them against the program and the pack."""
        there = self.runner.existing()
        stacks = [stack for stage in stages for stack in stage.stacks if stack.name in there]
        self._side_by_side(stacks, self._refreshed)

    def destroy(self, stages: Sequence[Stage], *, remove: bool) -> None:
        """Take the stages down, the last ring first; what is left in one stops the run before the next."""
        found = self.runner.existing()
        left = self._left_over(found, [stack for stage in stages for stack in stage.stacks])
        self._take_down([stack for stack in left if stack.kind == "clusters"], "what was left over", remove=remove)
        for stage in reversed(stages):
            also = [stack for stack in left if stack.kind == "gateway"] if stage.gate is None else []
            stacks = [stack for stack in stage.stacks if stack.name in found]
            self._take_down([*stacks, *also], stage.name, remove=remove)

    def _take_down(self, stacks: Sequence[FleetStack], what: str, *, remove: bool = False) -> None:
        if self.stopped:
            self._skip(stacks, f"not begun: {self.stopped}")
            return
        self._side_by_side(stacks, lambda stack: self._worked(stack, "destroy", self.runner.destroy))
        bad = [stack.name for stack in stacks if not self.outcomes[stack.name].well]
        for stack in stacks if remove else ():
            if stack.name not in bad:
                self.runner.remove(stack.name)
        if bad:
            self._stop(f"{', '.join(bad)} of {what} still hold something")

    def _left_over(self, there: Mapping[str, StackSummary], stacks: Iterable[FleetStack]) -> list[FleetStack]:
        """Stacks that hold something and that the file has nothing for any more."""
        known = {stack.name for stack in stacks}
        return [
            FleetStack(name, "gateway" if f"-{GATEWAY}-" in name else "clusters", "", "", {})
            for name, summary in sorted(there.items())
            if self.whole and name not in known and summary.resource_count and self.is_ours(name)
        ]

    def _tell_left_over(self, stacks: Iterable[FleetStack]) -> None:
        from arcgateway.fleet.runner import Outcome

        why = "the file has nothing for it any more: `up --prune` takes down what it holds"
        for stack in stacks:
            self.outcomes[stack.name] = Outcome.without_engine(stack, "left over", why)
            self.board.end(stack, "left over")

    def _bring_up(self, stage: Stage, there: set[str], holders: Callable[[], Mapping[str, str]]) -> bool:
        """Look at a whole stage, then update what differs. Whether anything was updated."""
        stacks = self._ready(stage)
        looked = self._side_by_side(stacks, lambda stack: self._looked(stack, exists=stack.name in there))
        there.update(one.stack.name for one in looked)
        if not any(one.state == "refused" for one in looked):
            looked = self._move(looked, moves(looked, self.homes, holders), there)
        if refused := [one.stack.name for one in looked if one.state == "refused"]:
            self._stop(f"{', '.join(refused)} of {stage.name} broke the policy pack, so nothing of it was changed")
            self._skip(
                [one.stack for one in looked if one.state == "changed"], f"held back, as {', '.join(refused)} broke it"
            )
            return False
        changing = [one.stack for one in looked if one.state == "changed"]
        if changing and stage.gate is not None and stage.gate.preflight and not self.stopped:
            try:
                self.world.preflight(changing)
            except Failure as failure:
                self._stop(f"the preflight of {stage.name} did not pass: {failure}")
        if self.stopped:
            self._skip(changing, f"not begun: {self.stopped}")
            return False
        self._side_by_side(changing, lambda stack: self._worked(stack, "up", self.runner.up))
        return bool(changing)

    def _move(self, looked: Sequence[Outcome], found: Sequence[Move], there: set[str]) -> list[Outcome]:
        """Have states go along with clusters that are in another stack now, and look again where that was."""
        for source, target, clusters in by_stacks(found):
            try:
                self.runner.move(source, self.homes[clusters[0]], clusters, exists=target in there)
            except Failure as failure:
                self._stop(f"{', '.join(clusters)} would be disconnected: {failure}")
                return list(looked)
            there.add(target)
            self.board.tell(f"{', '.join(clusters)} of {source} is of {target} now: its state went along")
        self.moves += found
        touched = {name for move in found for name in (move.source, move.target)}
        again = [one.stack for one in looked if one.stack.name in touched]
        return [
            *(one for one in looked if one.stack.name not in touched),
            *self._side_by_side(again, self._looked),
        ]

    def _holders(self, there: Mapping[str, StackSummary]) -> dict[str, str]:
        """The stacks of the fleet whose states hold clusters, by these."""
        names = [name for name, summary in there.items() if summary.resource_count and self.is_ours(name)]
        with ThreadPoolExecutor(max_workers=self.parallel) as pool:
            held = list(pool.map(self.runner.held, names))
        return {cluster: name for name, clusters in zip(names, held, strict=True) for cluster in clusters}

    def _ready(self, stage: Stage) -> list[FleetStack]:
        """The stacks of a stage whose gateways are up; the others are told."""
        ready = []
        for stack in stage.stacks:
            lacking = [name for name in stack.needs if name in self.outcomes and not self.outcomes[name].well]
            if lacking:
                self._skip([stack], f"its gateway's stack {', '.join(lacking)} is not up")
            else:
                ready.append(stack)
        return ready

    def _leave(self, stage: Stage, wanted: Gate, *, last: bool, changed: bool) -> None:
        """What a ring has to show before the next one begins."""
        locked = [stack.name for stack in stage.stacks if self.outcomes[stack.name].state == "locked"]
        if locked:
            self._stop(f"{', '.join(locked)} of {stage.name} was locked")
            return
        if wanted.connected > 0:
            try:
                gate.connected(
                    lambda: self.world.connectivity(stage.stacks),
                    wanted.connected,
                    self.connected_within,
                    changed,
                    lambda: self.runner.engines.interrupted,
                    lambda line: self.board.tell(f"{stage.name}: {line}"),
                )
            except Failure as failure:
                self._stop(f"{stage.name}: {failure}")
        if wanted.pause and changed and not last and not self.stopped:
            self.board.tell(f"{stage.name}: pause of {wanted.pause} s before the next ring")
            gate.pause(wanted.pause, lambda: self.runner.engines.interrupted)
        if self.runner.engines.interrupted:
            self._stop("the run was interrupted")

    def _side_by_side(self, stacks: Sequence[FleetStack], work: Work) -> list[Outcome]:
        """Do the work on stacks, as many at a time as is allowed, until too much has failed."""
        turns = iter(stacks)
        lock = threading.Lock()
        done: list[Outcome] = []

        def take_turns() -> None:
            while not self.stopped:
                with lock:
                    stack = next(turns, None)
                if stack is None:
                    return
                outcome = work(stack)
                with lock:
                    done.append(outcome)
                    self._record(outcome)

        with ThreadPoolExecutor(max_workers=self.parallel, thread_name_prefix="stack") as pool:
            workers: set[Future[None]] = {pool.submit(take_turns) for _ in range(min(self.parallel, len(stacks)))}
            while workers:
                ended, workers = wait(workers, timeout=_LISTEN)
                for one in ended:
                    if one.exception() is not None:
                        self._stop("an error of this program")
                    one.result()
                if self.runner.engines.interrupted:
                    self._stop("the run was interrupted")
        begun = {outcome.stack.name for outcome in done}
        self._skip([stack for stack in stacks if stack.name not in begun], f"not begun: {self.stopped}")
        return done

    def _record(self, outcome: Outcome) -> None:
        self.outcomes[outcome.stack.name] = outcome
        failed = sum(
            max(len(one.tally.failed), 1) for one in self.outcomes.values() if one.state in ("failed", "refused")
        )
        if failed >= self.max_failures and not self.stopped:
            self._stop(f"{failed} failures, and --max-failures is {self.max_failures}")

    def _skip(self, stacks: Iterable[FleetStack], why: str) -> None:
        from arcgateway.fleet.runner import Outcome

        for stack in stacks:
            self.outcomes[stack.name] = Outcome.without_engine(stack, "skipped", why)
            self.board.end(stack, "skipped")

    def _stop(self, why: str) -> None:
        if not self.stopped:
            self.stopped = why
            self.board.tell(f"stopped: {why}")

    def _looked(self, stack: FleetStack, *, exists: bool = True, refresh: bool = False) -> Outcome:
        return self._worked(
            stack, "preview", lambda one, tally: self.runner.preview(one, tally, exists=exists, refresh=refresh)
        )

    def _refreshed(self, stack: FleetStack) -> Outcome:
        refreshed = self._worked(stack, "refresh", self.runner.refresh)
        return self._looked(stack) if refreshed.well else refreshed

    def _waiting(self, stack: FleetStack, lacking: Sequence[str]) -> Outcome:
        from arcgateway.fleet.runner import Outcome

        why = f"a preview needs its gateway, which {', '.join(lacking)} will make: {len(stack.clusters)} clusters"
        self.board.end(stack, "waiting")
        return Outcome.without_engine(stack, "waiting", why)

    def _worked(self, stack: FleetStack, verb: str, work: Callable[..., Outcome]) -> Outcome:
        outcome = work(stack, self.board.begin(stack, verb))
        self.board.end(stack, outcome.state)
        return outcome
