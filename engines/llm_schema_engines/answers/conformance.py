"""Whether the rate of answers that are valid at once has fallen: a test that may be looked at after every answer. Pure.

Each first answer is taken for an independent draw: it passes with a probability that belongs to the schema and the model. Of n answers
s passed.

**Mixture.** Under a rate p the answers so far have the likelihood L(p) = p^s (1-p)^(n-s). Averaged over all rates by the beta
distribution with both parameters 1/2 it is m = B(s + 1/2, n - s + 1/2) / B(1/2, 1/2). The ratio m / L(p) is a martingale that begins
at 1 if p is the true rate, so that it ever exceeds 1/e with a probability of at most e (Ville's inequality).

**Interval.** The rates p with m / L(p) < 1/e hold the true one for ever, with a probability of at least 1 - e: a confidence sequence.

**Drop.** For two series, before and after, the product of both ratios is such a martingale too, in whatever order their answers come. Divided by
the greatest likelihood of all pairs of rates in which the later one is not lower than the earlier one by more than a margin, it is smaller than the
martingale of the true pair if that is one of these. So it ever exceeds 1/e with a probability of at most e unless there is a drop of more
than the margin, however often it is looked at and whatever decides when to look.

Sources: J. Ville, Étude critique de la notion de collectif, 1939. H. Robbins, Statistical methods related to the law of the iterated
logarithm, Annals of Mathematical Statistics 41, 1970. R. Krichevsky, V. Trofimov, The performance of universal encoding, IEEE
Transactions on Information Theory 27, 1981. L. Wasserman, A. Ramdas, S. Balakrishnan, Universal inference, PNAS 117, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_HALVINGS = 60
"""Of an interval of rates: what is left is less than a double can tell from a point."""


@dataclass(frozen=True, slots=True)
class Passes:
    """So many answers, and how many of them passed. Raises ValueError for more than all, or fewer than none."""

    passed: int
    answers: int

    def __post_init__(self) -> None:
        if not 0 <= self.passed <= self.answers:
            raise ValueError(f"{self.passed} of {self.answers} answers cannot have passed")

    @property
    def rate(self) -> float:
        """The share that passed; 0.0 of no answers."""
        return self.passed / self.answers if self.answers else 0.0

    @property
    def failed(self) -> int:
        return self.answers - self.passed


@dataclass(frozen=True, slots=True)
class Interval:
    """Rates from `low` to `high`."""

    low: float
    high: float


def evidence_of_drop(before: Passes, after: Passes, margin: float = 0.0) -> float:
    """The natural logarithm of the evidence that the rate of `after` is lower than that of `before` by more than `margin`.

    Without such a drop it ever exceeds log(1/e) with a probability of at most e. Counts are taken to be exact up to 10^12. Raises
    ValueError for a margin that is not from 0 to less than 1.
    """
    if not 0 <= margin < 1:
        raise ValueError(f"the margin is {margin}; it must be from 0 to less than 1")
    mixtures = _log_mixture(before) + _log_mixture(after)
    if not before.answers or not after.answers or after.rate >= before.rate - margin:
        return mixtures - _log_likelihood(before, before.rate) - _log_likelihood(after, after.rate)
    earlier = _likeliest(before, after, margin)
    return mixtures - _log_likelihood(before, earlier) - _log_likelihood(after, earlier - margin)


def is_certain(evidence: float, error: float) -> bool:
    """Whether evidence suffices for a probability of error, which is greater than 0."""
    return evidence >= -math.log(error)


def share_of_error(error: float, *places: int) -> float:
    """What a test may use of a probability of error that many tests share, by its place among them: 1, 2, 3 ... in each of some orders.

    The k-th place of an order gets 1/(k(k+1)), so that any number of tests together use no more than all. A place must not
    depend on what the test has seen. Raises ValueError for places below 1.
    """
    for place in places:
        if place < 1:
            raise ValueError(f"the place is {place}; the first one is 1")
        error /= place * (place + 1)
    return error


def interval_of(passes: Passes, error: float) -> Interval:
    """Rates that hold the true one with a probability of at least 1 - error, at all times together: it may be looked at after each
    answer."""
    if not passes.answers:
        return Interval(0.0, 1.0)
    least = _log_mixture(passes) + math.log(error)  # rates whose likelihood is smaller are out

    def inside(rate: float) -> bool:
        return _log_likelihood(passes, rate) > least

    low = 0.0 if inside(0.0) else _border(passes.rate, 0.0, inside)
    return Interval(low, 1.0 if inside(1.0) else _border(passes.rate, 1.0, inside))


def _border(within: float, outside: float, inside: Callable[[float], bool]) -> float:
    for _ in range(_HALVINGS):
        middle = (within + outside) / 2
        if inside(middle):
            within = middle
        else:
            outside = middle
    return outside


def _likeliest(before: Passes, after: Passes, margin: float) -> float:
    """The rate p of `before` under which both, with `p - margin` for `after`, are likeliest."""
    if not margin:
        return (before.passed + after.passed) / (before.answers + after.answers)
    low, high = margin, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(before, middle) + _slope(after, middle - margin) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _slope(passes: Passes, rate: float) -> float:
    """How the logarithm of the likelihood grows with the rate."""
    rises = (math.inf if rate <= 0 else passes.passed / rate) if passes.passed else 0.0
    falls = (math.inf if rate >= 1 else passes.failed / (1 - rate)) if passes.failed else 0.0
    return rises - falls


def _log_likelihood(passes: Passes, rate: float) -> float:
    passed = (math.log(rate) if rate > 0 else -math.inf) * passes.passed if passes.passed else 0.0
    failed = (math.log1p(-rate) if rate < 1 else -math.inf) * passes.failed if passes.failed else 0.0
    return passed + failed


def _log_mixture(passes: Passes) -> float:
    return _log_beta(passes.passed + 0.5, passes.failed + 0.5) - math.log(math.pi)  # B(1/2, 1/2) is pi


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
