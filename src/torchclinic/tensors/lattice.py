"""Bounded linear Diophantine equations: do two strided index sets meet?

An element of a strided tensor lies at `offset + Σ stride[k]·i[k]`. "Do two tensors share a byte?" and "does one
tensor visit an address twice?" are both the question whether Σ c·x = target has an integer solution with
0 ≤ x ≤ bound. In general that is NP-hard (subset sum); layouts that occur in practice collapse to one or two terms.
"""

from collections.abc import Iterable, Sequence
from math import gcd

BUDGET = 20_000  # values of a variable that are tried before the answer is "cannot tell"; about 20 ms

Term = tuple[int, int]  # (coefficient > 0, bound >= 0): coefficient·x for x in 0..bound


def reachable(terms: Iterable[Term], target: int, budget: int = BUDGET) -> bool | None:
    """Whether Σ c·x = target for some 0 ≤ x ≤ bound; None when `budget` values were tried without an answer."""
    merged = merge_terms(terms)
    if not merged:
        return target == 0
    return _Search(merged, budget).solve(0, target)


def merge_terms(terms: Iterable[Term]) -> list[Term]:
    """The same set of sums with as few terms as possible, largest coefficient first.

    c·[0..u] + m·c·[0..v] is c·[0..u+m·v] whenever m ≤ u + 1: the fine steps fill every gap between the coarse ones.
    """
    bounds: dict[int, int] = {}
    for coefficient, bound in terms:
        if bound > 0:
            bounds[coefficient] = bounds.get(coefficient, 0) + bound
    pending = sorted(bounds.items())
    runs: list[Term] = []
    for coefficient, bound in pending:
        for place, (step, reach) in enumerate(runs):
            multiple, rest = divmod(coefficient, step)
            if rest == 0 and multiple <= reach + 1:
                runs[place] = (step, reach + multiple * bound)
                break
        else:
            runs.append((coefficient, bound))
    return runs[::-1]


class _Search:
    """Depth first over the largest coefficients; the last two terms are solved in closed form."""

    def __init__(self, terms: Sequence[Term], budget: int) -> None:
        self.terms = terms
        self.budget = budget
        count = len(terms)
        self.divisor = [0] * (count + 1)  # gcd of the coefficients from a level on
        self.reach = [0] * (count + 1)  # largest sum from a level on
        for level in range(count - 1, -1, -1):
            coefficient, bound = terms[level]
            self.divisor[level] = gcd(coefficient, self.divisor[level + 1])
            self.reach[level] = coefficient * bound + self.reach[level + 1]
        self.failed: set[tuple[int, int]] = set()

    def solve(self, level: int, target: int) -> bool | None:
        if target < 0 or target > self.reach[level] or target % self.divisor[level]:
            return False
        if level == len(self.terms) - 1:
            return True  # the range and the divisor of the only term left were just checked
        if (level, target) in self.failed:
            return False
        candidates = self._candidates(level, target)
        if level == len(self.terms) - 2:
            return len(candidates) > 0
        coefficient = self.terms[level][0]
        for value in candidates:
            if self.budget <= 0:
                return None
            self.budget -= 1
            answer = self.solve(level + 1, target - coefficient * value)
            if answer is not False:
                return answer
        self.failed.add((level, target))
        return False

    def _candidates(self, level: int, target: int) -> range:
        """Values of this level's variable that leave a target within the range and the divisor of the rest."""
        coefficient, bound = self.terms[level]
        low = max(0, -(-(target - self.reach[level + 1]) // coefficient))
        high = min(bound, target // coefficient)
        rest = self.divisor[level + 1]
        common = gcd(coefficient, rest)
        step = rest // common
        first = (target // common) * pow(coefficient // common, -1, step) % step if step > 1 else 0
        return range(low + (first - low) % step, high + 1, step)


def visits_twice(shape: Sequence[int], stride: Sequence[int], budget: int = BUDGET) -> bool | None:
    """Whether two different indices of a strided tensor have the same address; None = cannot tell within `budget`.

    Sorted by stride, let k be the largest dimension in which the two indices differ, by y + 1 ≥ 1. Then
    stride[k]·(y + 1) is a sum of differences of the smaller dimensions, each between -(n-1) and n-1.
    """
    if 0 in shape:
        return False
    dims = sorted((step, size - 1) for size, step in zip(shape, stride, strict=True) if size > 1)
    if any(step == 0 for step, _ in dims):
        return True
    unknown = False
    lower: list[Term] = []
    span = 0  # largest address of the smaller dimensions
    for step, bound in dims:
        if step <= span:
            answer = reachable([*lower, (step, bound - 1)], step * bound + span, budget)
            if answer:
                return True
            unknown = unknown or answer is None
        lower.append((step, 2 * bound))
        span += step * bound
    return None if unknown else False
