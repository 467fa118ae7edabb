"""The logs of the Arc Proxy's pods in some clusters: read once, or followed while pods and connections come and go."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from arcgateway import logfiles, logforms
from arcgateway.errors import Failure
from arcgateway.kube import ARC_PROXY, NAMESPACE, Cluster, LogSource, LogStream

#: Logs that are read at once: each is a process of kubectl.
SIDE_BY_SIDE = 4

#: Logs that are followed at once, for the same reason.
FOLLOWED = 64

#: Seconds between two looks at which pods there are, while following.
LOOK = 5.0

#: Seconds until the next look when a log has ended.
SOON = 0.5

#: Seconds without a byte after which a log that is read once is given up.
SILENCE = 60.0

#: Blocks of lines that wait to be counted: more are not read ahead.
_WAITING = 8

#: What the kubelet writes among a log's lines when it cannot go on.
_BROKEN_OFF = (b"unable to retrieve container logs for ", b"failed to create fsnotify watcher")

_NO_PREVIOUS = "previous terminated container"
_NOT_YET = ("is waiting to start", "ContainerCreating", "PodInitializing")
_GONE = ("(NotFound)", "not found")

_NO_PODS = f"there is no pod {ARC_PROXY}-* in the namespace {NAMESPACE}"
_NO_PODS_MEND = "only a cluster that is associated with a gateway has one: associate it, or name another context"
_BROKEN, _BROKEN_MEND = "the node could not go on reading the log", "look at the node; what came before is counted"

#: Seconds between a run's beginning and its oldest line, above which lines may have been rotated away.
_ROTATED = 600.0


@dataclass(frozen=True)
class Block:
    """Some lines of one log, each after its time and a blank.

    Attributes:
        cluster: the context.
        log: the pod, and what else tells it from others of the cluster.
        lines: without their ends.
    """

    cluster: str
    log: str
    lines: list[bytes]


@dataclass(frozen=True)
class Note:
    """What a person must know of a log, or of a cluster where no log is named.

    Attributes:
        failure: what could not be read; None for a mere note.
        text: the note; without one and without a failure, an earlier failure is over.
        lost: lines may be missing between what was read of the log before and what comes.
    """

    cluster: str
    log: str = ""
    failure: Failure | None = None
    text: str = ""
    lost: bool = False


@dataclass
class _Place:
    """How far a container's log has been read, so that nothing is counted twice when it is read on.

    Attributes:
        source: the container as it was last looked at.
        stamp: the time of the last line read.
        seen: how many lines with that time were read.
        attached: the restarts that there were when it was last read; None before.
        run: the restarts before the run whose beginning was read; None before.
        busy: whether it is being followed.
    """

    source: LogSource
    stamp: bytes = b""
    seen: int = 0
    attached: int | None = None
    run: int | None = None
    busy: bool = False

    @property
    def name(self) -> str:
        """The pod, and the container where it has another name than the Arc Proxy's."""
        of = self.source
        return of.pod if of.container == ARC_PROXY else f"{of.pod}/{of.container}"

    def fresh(self) -> Callable[[list[bytes]], list[bytes]]:
        """For reading anew from the last line's second: takes away what has been read, block by block."""
        known, left, passed = _key(self.stamp), self.seen, not self.stamp

        def fresh(lines: list[bytes]) -> list[bytes]:
            nonlocal left, passed
            if passed:
                return lines
            for number, line in enumerate(lines):
                key = _key(_stamp(line))
                if key == known and left:
                    left -= 1
                elif key >= known:
                    passed = True
                    return lines[number:]
            return []

        return fresh

    def advance(self, lines: list[bytes]) -> None:
        """These lines have been read."""
        last = _key(_stamp(lines[-1]))
        same = next((number for number, line in enumerate(reversed(lines)) if _key(_stamp(line)) != last), len(lines))
        self.seen = same + (self.seen if same == len(lines) and last == _key(self.stamp) else 0)
        self.stamp = _stamp(lines[-1])


def _stamp(line: bytes) -> bytes:
    return line.partition(b" ")[0]


def _key(stamp: bytes) -> bytes:
    """A stamp so that a later one is greater: zeros at the end of a second's fraction are left out in it."""
    seconds, _, fraction = stamp.rstrip(b"Z").partition(b".")
    return seconds + b"." + fraction.ljust(9, b"0")


class PodLogs:
    """Reads logs in threads and hands their lines to one.

    Args:
        clusters: where to look.
        since: seconds since the epoch; only lines from then on.
        follow: go on until `stop`.
    """

    def __init__(self, clusters: Sequence[Cluster], *, since: float | None = None, follow: bool = False) -> None:
        self._clusters = clusters
        self._since = since
        self._follow = follow
        self._ready: queue.Queue[Block | Note | None] = queue.Queue(_WAITING)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._heard: dict[LogStream, float] = {}
        self._silent: set[LogStream] = set()
        self._threads: list[threading.Thread] = []
        self._followed = 0
        self._crash: BaseException | None = None
        # By context: set when a log has ended, as its container may run again already.
        self._ended = {cluster.kubeconfig.context: threading.Event() for cluster in clusters}

    def events(self, every: float = 0.5) -> Generator[Block | Note | None]:
        """Blocks and notes as they come, and None when there was none for `every` seconds. Ends with the last log.

        All that was started has ended when the iteration has, however it does.
        """
        main, ended = self._start(self._watch_all if self._follow else self._read_all), False
        try:
            while True:
                try:
                    event = self._ready.get(timeout=every)
                except queue.Empty:
                    if self._crash is not None:
                        raise self._crash from None
                    # What was put in before the last thread's end is still to be handed out.
                    if ended:
                        return
                    ended = not main.is_alive()
                    self._give_up_on_the_silent()
                    if not ended:
                        yield None
                else:
                    yield event
        finally:
            self.stop()
            for thread in (main, *self._threads):
                thread.join()

    def stop(self) -> None:
        """End all reading."""
        self._stopping.set()
        with self._lock:
            streams = tuple(self._heard)
        for ended in self._ended.values():
            ended.set()
        for stream in streams:
            stream.stop()

    # --- read once ---

    def _read_all(self) -> None:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            looks = [(cluster, pool.submit(self._look, cluster)) for cluster in self._clusters]
            reads = [
                pool.submit(self._read_once, cluster, _Place(source))
                for cluster, look in looks
                for source in look.result()
            ]
        for read in reads:
            read.result()

    def _read_once(self, cluster: Cluster, place: _Place) -> None:
        try:
            self._previous(cluster, place)
            self._run(cluster, place)
        except Failure as failure:
            self._tell(Note(cluster.kubeconfig.context, place.name, failure))

    # --- follow ---

    def _watch_all(self) -> None:
        watchers = [self._start(self._watch, cluster) for cluster in self._clusters]
        for watcher in watchers:
            watcher.join()

    def _watch(self, cluster: Cluster) -> None:
        places: dict[tuple[str, str], _Place] = {}
        while not self._stopping.is_set():
            found = self._look(cluster)
            for source in found:
                place = places.setdefault((source.uid, source.container), _Place(source))
                place.source = source
                new_run = place.attached is None or source.restarts > place.attached
                if not place.busy and (source.running or (new_run and source.started)):
                    self._attach(cluster, place)
            known = {(source.uid, source.container) for source in found}
            for key in [key for key, place in places.items() if found and key not in known and not place.busy]:
                self._tell(Note(cluster.kubeconfig.context, places.pop(key).name, text="the pod has gone"))
            ended = self._ended[cluster.kubeconfig.context]
            ended.wait(LOOK)
            ended.clear()
            self._stopping.wait(SOON)

    def _attach(self, cluster: Cluster, place: _Place) -> None:
        with self._lock:
            if self._followed >= FOLLOWED:
                failure = Failure(f"more than {FOLLOWED} logs are not followed at once", "name fewer contexts")
                full = Note(cluster.kubeconfig.context, place.name, failure)
            else:
                self._followed += 1
                place.busy = True
                full = None
        if full:
            self._tell(full)
        else:
            self._start(self._read_on, cluster, place)

    def _read_on(self, cluster: Cluster, place: _Place) -> None:
        try:
            if place.attached != place.source.restarts:
                self._previous(cluster, place)
            elif place.stamp:
                # What broke off before is read on from its last line.
                self._tell(Note(cluster.kubeconfig.context, place.name))
            place.attached = place.source.restarts
            self._run(cluster, place, follow=True)
        except Failure as failure:
            self._tell(Note(cluster.kubeconfig.context, place.name, failure))
        finally:
            with self._lock:
                self._followed -= 1
                place.busy = False
            self._ended[cluster.kubeconfig.context].set()

    # --- both ---

    def _look(self, cluster: Cluster) -> list[LogSource]:
        context = cluster.kubeconfig.context
        try:
            found = cluster.arc_proxies()
        except Failure as failure:
            self._tell(Note(context, failure=failure))
            return []
        if not found:
            self._tell(Note(context, failure=Failure(_NO_PODS, _NO_PODS_MEND)))
        else:
            self._tell(Note(context))
        return found

    def _previous(self, cluster: Cluster, place: _Place) -> None:
        missed = place.source.restarts - (place.attached or 0)
        if missed <= 0:
            return
        if missed > 1:
            text = f"restarted {missed} times: of the runs before, only the last one's log is kept"
            self._tell(Note(cluster.kubeconfig.context, place.name, text=text, lost=True))
        self._run(cluster, place, previous=True)

    def _run(self, cluster: Cluster, place: _Place, *, previous: bool = False, follow: bool = False) -> None:
        """Read the log of one run of a container, from where it was left."""
        context, fresh, first = (
            cluster.kubeconfig.context,
            place.fresh(),
            not previous and place.run != place.source.restarts,
        )
        since = logforms.moment(place.stamp) if place.stamp else self._since
        with cluster.log(place.source, previous=previous, since=since, follow=follow) as stream:
            with self._lock:
                # `stop` ends those that it finds here, and who comes later ends by itself.
                if self._stopping.is_set():
                    return
                self._heard[stream] = time.monotonic()
            try:
                for lines in logfiles.lines(self._heard_of(stream), rest=not follow):
                    lines = fresh([line for line in lines if line])
                    if not lines:
                        continue
                    if first:
                        self._say_if_rotated(context, place, lines[0])
                        place.run, first = place.source.restarts, False
                    broken = next((line for line in lines if line.startswith(_BROKEN_OFF)), None)
                    if broken is not None:
                        lines.remove(broken)
                        self._tell(Note(context, place.name, Failure(_BROKEN, _BROKEN_MEND)))
                    if lines:
                        place.advance(lines)
                        self._tell(Block(context, place.name, lines))
            finally:
                with self._lock:
                    del self._heard[stream]
            if self._stopping.is_set():
                return
            if stream in self._silent:
                self._silent.discard(stream)
                raise Failure(f"the log of {place.name} fell silent for {SILENCE:.0f} s", "run again")
            self._judge(cluster, place, stream.complaint(), previous=previous, follow=follow)

    def _judge(self, cluster: Cluster, place: _Place, said: str, *, previous: bool, follow: bool) -> None:
        """Whether what kubectl complains of is to be expected."""
        context = cluster.kubeconfig.context
        if not said:
            return
        if previous and _NO_PREVIOUS in said:
            self._tell(
                Note(context, place.name, text="it was restarted, and the log of the run before is gone", lost=True)
            )
        elif any(word in said for word in _NOT_YET):
            self._tell(Note(context, place.name, text="its container has not started yet"))
        elif follow and any(word in said for word in _GONE):
            self._tell(Note(context, place.name, text="the pod has gone"))
        else:
            raise cluster.explained_log(said)

    def _say_if_rotated(self, context: str, place: _Place, line: bytes) -> None:
        begin, started = logforms.moment(_stamp(line)), place.source.started
        if self._since is None and begin and started and begin - started.timestamp() > _ROTATED:
            text = (
                f"its log begins {_stamp(line).decode('ascii', 'replace')}, the container {started.isoformat()}: what "
                "lies between was rotated away, or there was nothing"
            )
            self._tell(Note(context, place.name, text=text, lost=True))

    def _heard_of(self, stream: LogStream) -> Iterator[bytes]:
        for chunk in stream.chunks():
            self._heard[stream] = time.monotonic()
            yield chunk
            self._heard[stream] = time.monotonic()

    def _give_up_on_the_silent(self) -> None:
        if self._follow:
            return
        now = time.monotonic()
        with self._lock:
            silent = [stream for stream, heard in self._heard.items() if now - heard > SILENCE]
        for stream in silent:
            self._silent.add(stream)
            stream.stop()

    def _tell(self, event: Block | Note) -> None:
        while not self._stopping.is_set():
            try:
                self._ready.put(event, timeout=0.2)
            except queue.Full:
                continue
            return

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self._crash = error

        thread = threading.Thread(target=guarded, name="logs", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()
        return thread
