"""
Stored batches of one visitor → visits: the rules of packages/core/src/event/history.ts and
packages/trainer-bridge/src/windows.ts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

# packages/core/src/event/history.ts: the index is the encoder's `kind`
HISTORY_KINDS = ("click", "view", "add-to-cart", "purchase", "like", "custom")
VISIT_GAP_MS = 30 * 60_000
# packages/trainer-bridge/src/windows.ts
RETAIN_MS = 60 * 60_000
MAX_RETAINED_EVENTS = 256

# How much an event says; the strongest wins when one item is touched twice in a row.
_PRECEDENCE = {"view": 0, "custom": 1, "click": 2, "like": 3, "add-to-cart": 4, "purchase": 5}
_INDEX = {kind: index for index, kind in enumerate(HISTORY_KINDS)}


class Event(NamedTuple):
    id: str
    kind: str
    item: str | None
    at: int


class Step(NamedTuple):
    item: str
    kind: str
    at: int


class Visit(NamedTuple):
    """Steps less than 30 minutes apart, oldest first."""

    items: list[str]
    kinds: list[int]
    times: list[int]


def history_kind(kind: str) -> str | None:
    """None for what is no step: impressions, searches, dislikes."""
    if kind.startswith("custom:"):
        return "custom"
    return kind if kind in _INDEX else None


def to_history(events: list[Event]) -> list[Step]:
    """Steps, oldest first; neighbouring ones of different kinds on one item are one step of the stronger kind."""
    by_id: dict[str, Event] = {}
    for event in events:
        by_id.setdefault(event.id, event)
    steps: list[Step] = []
    for event in sorted(by_id.values(), key=lambda event: (event.at, event.id)):
        kind = history_kind(event.kind)
        if kind is None or event.item is None:
            continue
        last = steps[-1] if steps else None
        if last is not None and last.item == event.item and last.kind != kind:
            if _PRECEDENCE[kind] > _PRECEDENCE[last.kind]:
                steps[-1] = Step(event.item, kind, event.at)
            continue
        steps.append(Step(event.item, kind, event.at))
    return steps


@dataclass
class VisitorReplay:
    """
    The batches of one visitor in the order they were received, replayed as the bridge's `Windows` counts them: a batch or
    event told twice counts once, a late event is put in its place within the hour, and after an hour without a batch
    everything starts anew. `visits` are then what the bridge's counts add up to.
    """

    received: int | None = None
    batches: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    done: list[Step] = field(default_factory=list)

    def apply(self, batch_id: str, received: int, events: Iterator[Event]) -> Iterator[Visit]:
        """@returns visits that are over because this batch came more than an hour after the last one"""
        if self.received is not None and received - self.received > RETAIN_MS:
            yield from self.end()
        self.received = received if self.received is None else max(self.received, received)
        if batch_id in self.batches:
            return
        self.batches.append(batch_id)
        for event in events:
            if event.id in self.known or event.item is None or history_kind(event.kind) is None:
                continue
            self.known.add(event.id)
            # A clock ahead of the edge's would stretch visits.
            self.events.append(event._replace(at=min(event.at, received)))
        if len(self.events) > MAX_RETAINED_EVENTS:
            self._shorten()

    def end(self) -> Iterator[Visit]:
        steps = self.done + to_history(self.events)
        self.received = None
        self.batches, self.events, self.known, self.done = [], [], set(), []
        yield from split(steps)

    def _shorten(self) -> None:
        """Settles the older half, which nothing can change any more."""
        steps = to_history(self.events)
        self.events = sorted(self.events, key=lambda event: (event.at, event.id))[-MAX_RETAINED_EVENTS // 2 :]
        self.batches = self.batches[-MAX_RETAINED_EVENTS // 2 :]
        self.known = {event.id for event in self.events}
        self.done += steps[: len(steps) - len(to_history(self.events))]


def split(steps: list[Step]) -> Iterator[Visit]:
    """Steps → visits: a gap of 30 minutes or more ends one."""
    start = 0
    for index in range(1, len(steps) + 1):
        if index < len(steps) and steps[index].at - steps[index - 1].at < VISIT_GAP_MS:
            continue
        visit = steps[start:index]
        if visit:
            yield Visit([step.item for step in visit], [_INDEX[step.kind] for step in visit], [step.at for step in visit])
        start = index
