"""What a list of rules, of which the first that fits decides, closes of the host names that clusters need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .names import Need, covers, families, meets, related
from .reading import Path
from .rule import OPEN

CLOSES = "closes"
MAY_CLOSE = "may-close"

#: In place of a grade: for what proves nothing without the rest of the stack.
SILENT = ""

EVERYTHING = "*"

_UNKNOWN = "as far as that is known yet"
_ELSEWHERE = "unless a rule elsewhere lets them out before"


class Target(NamedTuple):
    """A pattern of host names that a rule is about; not `sure` where it stands for only some of them."""

    pattern: str
    path: Path
    sure: bool = True


@dataclass(frozen=True)
class Passage:
    """A rule that lets traffic to port 443 out, or stops it.

    Attributes:
        allows: whether it lets out; None where that is not known.
        targets: where to.
        sources: from where, when not from everywhere.
        unknown_target: some of where to, which is not known.
        unknown_terms: whether more about it is not known, so that it may not fit at all.
        final: the grade of stopping everything, where an earlier rule elsewhere may have let Arc's hosts out.
        how: what it does to a host, as a clause's beginning.
    """

    allows: bool | None
    targets: tuple[Target, ...]
    sources: frozenset[str] = frozenset()
    unknown_target: Path | None = None
    unknown_terms: bool = False
    final: str = CLOSES
    how: str = "denies"

    @property
    def total(self) -> bool:
        """Whether it is about every host, none by its name."""
        return any(target.pattern == EVERYTHING and target.sure for target in self.targets)


@dataclass(frozen=True)
class Closing:
    """Host names that something closes.

    Attributes:
        grade: whether that is certain, possible, or open.
        path: the property.
        how: a clause's beginning, to which the names are the object; the whole clause where there are none.
        names: which; none where that is open.
        doubt: a clause's end that says why it is not certain.
        named: whether it closes these names as such, rather than all but some.
    """

    grade: str
    path: Path
    how: str
    names: tuple[str, ...] = ()
    doubt: str = ""
    named: bool = True


class _Fit(NamedTuple):
    need: Need
    target: Target
    sure: bool

    @property
    def total(self) -> bool:
        """Whether the name is taken in as one of all."""
        return self.target.pattern == EVERYTHING


#: From where a name was let out by earlier rules; None where one of them only may have done so.
_Saved = dict[str, list[frozenset[str] | None]]


def closings(passages: Sequence[Passage], needs: Sequence[Need]) -> Iterator[Closing]:
    """What these rules, in the order in which they are tried, close of these names."""
    among = families(needs)
    passages = [
        replace(passage, targets=tuple(target for target in passage.targets if related(target.pattern, among)))
        for passage in passages
    ]
    last_allow = _last_allows(passages, needs)
    saved: _Saved = {need.name: [] for need in needs}
    left = tuple(needs)
    doubted: set[str] = set()
    for index, passage in enumerate(passages):
        fits = _fits(passage, left)
        if passage.allows:
            _save(passage, fits, left, saved)
            continue
        struck = [
            fit
            for fit in fits
            if not _let_out(saved[fit.need.name], passage) and not (fit.total and fit.need.name in doubted)
        ]
        yield from _closings_of(
            passage,
            struck,
            saved,
            shadows=any(last_allow.get(fit.need.name, -1) > index for fit in struck),
            partly=any(_let_out(saved[fit.need.name], passage) for fit in fits),
        )
        if passage.allows is False and not passage.sources and not passage.unknown_terms:
            # Where stopping everything proves nothing, a later rule that names a host still does.
            weak = {fit.need.name for fit in struck if fit.total and passage.final != CLOSES}
            doubted |= weak
            gone = {fit.need.name for fit in struck if fit.sure} - weak
            left = tuple(need for need in left if need.name not in gone)


def hit(pattern: str, need: Need) -> bool | None:
    """Whether a pattern takes in what is needed: None when only a part of it, which may be another's."""
    if covers(pattern, need.name) or (need.own and meets(pattern, need.name)):
        return True
    return None if meets(pattern, need.name) else False


def _fits(passage: Passage, needs: Sequence[Need]) -> list[_Fit]:
    """The names that a rule takes in, each by the target that says so most clearly."""
    found: list[_Fit] = []
    for need in needs:
        fits = [
            _Fit(need, target, bool(how) and target.sure)
            for target in passage.targets
            if (how := hit(target.pattern, need)) is not False
        ]
        if fits:
            found.append(max(fits, key=lambda fit: (fit.sure, not fit.total)))
    return found


def _last_allows(passages: Sequence[Passage], needs: Sequence[Need]) -> dict[str, int]:
    """The last rule that lets out each name, by its place."""
    return {
        fit.need.name: index
        for index, passage in enumerate(passages)
        if passage.allows and not passage.total
        for fit in _fits(passage, needs)
    }


def _save(passage: Passage, fits: Sequence[_Fit], left: Sequence[Need], saved: _Saved) -> None:
    for fit in fits:
        # Who lets one name of a pattern out means the one that is needed.
        certain = (fit.sure or (fit.target.sure and not fit.need.own)) and not passage.unknown_terms
        saved[fit.need.name].append(passage.sources if certain else None)
    if passage.unknown_target is not None:
        for need in left:
            saved[need.name].append(None)


def _let_out(saved: list[frozenset[str] | None], passage: Passage) -> bool:
    return any(
        sources is not None and (not sources or (bool(passage.sources) and passage.sources <= sources))
        for sources in saved
    )


def _closings_of(
    passage: Passage, struck: Sequence[_Fit], saved: _Saved, *, shadows: bool, partly: bool
) -> Iterator[Closing]:
    how = "may deny" if passage.allows is None else passage.how
    if passage.unknown_target is not None:
        yield Closing(OPEN, passage.unknown_target, f"{how} hosts that are not known yet")
    named = [fit for fit in struck if not fit.total]
    chosen = named or struck
    if not chosen:
        return
    certain = [] if passage.sources else [fit for fit in chosen if fit.sure and not saved[fit.need.name]]
    shown = certain or chosen
    path, names = shown[0].target.path, tuple(fit.need.name for fit in shown)
    if passage.allows is None or passage.unknown_terms:
        if named or passage.final != SILENT:
            yield Closing(OPEN, path, how, names, _UNKNOWN, bool(named))
    elif not named and not shadows and passage.final != CLOSES:
        if passage.final or partly:
            yield Closing(passage.final or MAY_CLOSE, path, how, names, _ELSEWHERE, named=False)
    elif certain:
        yield Closing(CLOSES, path, how, names, "", bool(named))
    else:
        yield Closing(MAY_CLOSE, path, how, names, _doubt(passage, chosen, saved), bool(named))


def _doubt(passage: Passage, fits: Sequence[_Fit], saved: _Saved) -> str:
    if passage.sources:
        return "for a part of the network, in which these clusters may be"
    if any(saved[fit.need.name] for fit in fits):
        return "unless an earlier rule lets them out"
    return "or some of the addresses behind them"
