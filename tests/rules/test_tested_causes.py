"""What replay confirmed comes first among independent causes; what follows from others keeps its place."""

from torchclinic.report.model import Finding
from torchclinic.rules.judging import Verdict, confirmed_first


def finding(code: str, rank: int, causes: tuple[str, ...] = (), severity: str = "error") -> Finding:
    return Finding(code, code.lower(), severity, "message", step=0, rank=rank, causes=causes)


def order(effects: dict[str, float]) -> list[tuple[str, int]]:
    found = (
        finding("LOS001", 1),
        finding("WIR005", 2),
        finding("OPT001", 3),
        finding("ACT003", 4, ("LOS001",)),
        finding("SHP006", 5, severity="info"),
    )
    return [(f.code, f.rank) for f in confirmed_first(Verdict(found, (), ()), effects).findings]


def test_without_a_confirmed_remedy_nothing_moves() -> None:
    assert [code for code, _ in order({})] == ["LOS001", "WIR005", "OPT001", "ACT003", "SHP006"]


def test_the_most_effective_remedy_names_the_first_cause_and_ranks_are_counted_anew() -> None:
    assert order({"WIR005": 0.2, "OPT001": 0.7}) == [("OPT001", 1), ("WIR005", 2), ("LOS001", 3), ("ACT003", 4), ("SHP006", 5)]


def test_a_consequence_and_a_note_do_not_become_causes() -> None:
    assert order({"ACT003": 0.9, "SHP006": 0.9})[0] == ("LOS001", 1)
