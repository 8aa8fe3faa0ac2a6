"""The ways between signals on which no random weights lie."""

from sim.trace.values import Signal


def above(signal: Signal) -> list[Signal]:
    """The signal and all that it is made of without weights, in the order of their making."""
    found: dict[int, Signal] = {}
    waiting = [(signal, False)]
    while waiting:
        x, ready = waiting.pop()
        if ready:
            found[id(x)] = x
        elif id(x) not in found:
            waiting.append((x, True))
            waiting += [] if x.weighted else [(y, False) for y in x.reads]
    return list(found.values())


def are_apart(a: Signal, b: Signal) -> bool:
    """Whether there is nothing that both are made of without weights."""
    return not {id(x) for x in above(a)} & {id(x) for x in above(b)}


def shared(direct: Signal, other: Signal) -> Signal | None:
    """The last signal of the same shape that `other` is made of and `direct`, entry by entry."""
    others, at = {id(x) for x in above(other)}, direct
    while id(at) not in others:
        alike = [x for x in at.reads if x.shape == direct.shape]
        if at.weighted or not alike:
            return None
        at = alike[0]
    is_own = other is at
    return None if is_own and direct is at else at


def between(start: Signal, ends: tuple[Signal, ...]) -> list[Signal]:
    """What is made of `start` on the ways to the ends, in the order of its making."""
    moved, found = {id(start)}, []
    for x in {id(x): x for end in ends for x in above(end)}.values():
        if id(x) not in moved and any(id(y) in moved for y in x.reads) and not x.weighted:
            moved.add(id(x))
            found.append(x)
    return found
