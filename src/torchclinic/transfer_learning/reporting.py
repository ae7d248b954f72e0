"""The comparison as a report: accuracies with intervals, what trained, what the folder had wrong with it."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from torchclinic.data.image_folder import ImageFolder
from torchclinic.report.model import Claim, Finding, Prose, Section, Table
from torchclinic.report.results import Report
from torchclinic.transfer_learning.backbones import Backbone
from torchclinic.transfer_learning.methods import Outcome
from torchclinic.units import format_count, format_share

TITLES = {"scratch": "from scratch", "frozen": "frozen features", "fine-tuned": "fine-tuned"}


def transfer_report(backbone: Backbone, data: ImageFolder, outcomes: Sequence[Outcome]) -> Report:
    """Raises nothing; the claims are about the freezing and about beating the constant answer."""
    size = data.train_images.shape[-1]
    best = max(outcomes, key=lambda outcome: outcome.accuracy)
    low, high = best.interval
    return Report(
        title=f"{backbone.architecture} learns {', '.join(data.classes[:6])}{' …' if len(data.classes) > 6 else ''}",
        summary=f"{TITLES[best.method]}: {format_share(best.accuracy)} of {len(best.correct)} held-out pictures "
        f"(95 % interval {format_share(low)} to {format_share(high)}); "
        f"always answering the class most frequent in training: {format_share(data.majority)}.",
        sections=(
            Section("Data", (_data_table(data), *((Prose("\n\n".join(data.notes)),) if data.notes else ()))),
            Section("What each method reaches", tuple(_blocks(data, outcomes))),
            Section("Claims", tuple(_claims(data, outcomes))),
        ),
        findings=tuple(_findings(data)),
        checked=tuple(f"{TITLES[o.method]}: every frozen tensor stayed, bit for bit" for o in outcomes if _proved(o)),
        data={
            "backbone": {"architecture": backbone.architecture, "weights": backbone.source, "image_size": size},
            "classes": list(data.classes),
            "counts": [list(pair) for pair in data.counts],
            "majority": data.majority,
            "notes": list(data.notes),
            "outcomes": [outcome.to_dict() for outcome in outcomes],
            "p_values": {f"{a.method} / {b.method}": a.p_value(b) for a, b in combinations(outcomes, 2)},
        },
    )


def _proved(outcome: Outcome) -> bool:
    return outcome.proof is not None and outcome.proof.ok


def _data_table(data: ImageFolder) -> Table:
    rows = tuple((name, *pair) for name, pair in zip(data.classes, data.counts, strict=True))
    return Table(("class", "to train on", "held out"), rows)


def _blocks(data: ImageFolder, outcomes: Sequence[Outcome]) -> Iterator[Table | Prose]:
    columns = ("method", "accuracy", "95 % from", "to", "parameters trained", "worst class", "its recall")
    rows = []
    for outcome in outcomes:
        worst = min(range(len(data.classes)), key=lambda label: outcome.recall[label])
        low, high = (format_share(bound) for bound in outcome.interval)
        trained = format_count(outcome.trained)
        recall = format_share(outcome.recall[worst])
        rows.append((TITLES[outcome.method], format_share(outcome.accuracy), low, high, trained, data.classes[worst], recall))
    caption = "Intervals: Wilson 1927. One seed; nothing was selected on the held-out pictures."
    yield Table(columns, tuple(rows), caption)
    pairs = list(combinations(outcomes, 2))
    if pairs:
        texts = [f"{TITLES[a.method]} and {TITLES[b.method]}: p = {a.p_value(b):.3g}" for a, b in pairs]
        yield Prose(
            "On the same pictures, the probability that equally good methods differ this much "
            f"(McNemar 1947, exact): {'; '.join(texts)}."
        )


def _claims(data: ImageFolder, outcomes: Sequence[Outcome]) -> Iterator[Claim]:
    for outcome in outcomes:
        if outcome.proof is not None:
            yield Claim(
                "transfer.frozen",
                "A training step changes the head and nothing else: no parameter, no running statistic.",
                predicted=0,
                measured=len(outcome.proof.leaked),
                unit="tensors",
                note=f"{len(outcome.proof.unchanged)} tensors compared by BLAKE2b before and after",
            )


def _findings(data: ImageFolder) -> Iterator[Finding]:
    if data.unbalanced:
        counts = {name: train for name, (train, _) in zip(data.classes, data.counts, strict=True)}
        message = f"The largest class has {max(counts.values())} pictures to train on, the smallest {min(counts.values())}."
        yield Finding("DAT004", "class-imbalance", "info", message, evidence=dict(list(counts.items())[:20]))
