"""What a run must hold before a rule can find it fine: a rule names its occasions, and a run has them, has not, or may have."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from torchclinic.observe.records import (
    AnswerInInput,
    ClampedError,
    ClipUse,
    DecayUse,
    ForwardPass,
    InputFacts,
    LabelStream,
    LoadRecord,
    LossCall,
    PaddingMask,
    RegressionTargets,
    ReplicaComparison,
    RunRecord,
    SamplerUse,
    ScheduleMade,
    SchedulerRecord,
    StepRecord,
    TargetNetwork,
    WeightedLabels,
    WorkerRandomness,
    WrapperBypass,
)
from torchclinic.rules.timeline import measures_errors
from torchclinic.vocabulary import BINARY_LOSSES, LABEL_LOSSES, LOG_PROBABILITY_LOSSES, REGRESSION_LOSSES

UNKNOWN_LOSS = "a loss is written in a way that is not understood"
UNKNOWN_MODEL = "no model was called"


class Occasion(NamedTuple):
    absent: str  # said of a run that does not have it
    seen: Callable[[RunRecord], bool | None]  # None: that cannot be known
    unknown: str = ""  # why


def absent(run: RunRecord, needs: Iterable[str]) -> str:
    """Why the rule does not apply: the first occasion that the run surely does not offer; empty if there is none."""
    return "" if run.limits else next((OCCASIONS[need].absent for need in needs if OCCASIONS[need].seen(run) is False), "")


def unknown(run: RunRecord, needs: Iterable[str]) -> str:
    """Why it is not known whether the rule applies; empty if it is."""
    doubtful = [OCCASIONS[need] for need in needs if not OCCASIONS[need].seen(run)]
    return next((occasion.unknown or run.limits[0] for occasion in doubtful if occasion.unknown or run.limits), "")


def _any(*kinds: type) -> Callable[[RunRecord], bool | None]:
    return lambda run: any(run.of(kind) for kind in kinds)


def _loss(functions: frozenset[str]) -> Callable[[RunRecord], bool | None]:
    def seen(run: RunRecord) -> bool | None:
        known = any(call.function in functions for call in run.of(LossCall))
        return known or (False if measures_errors(run) else None)

    return seen


def _labels(run: RunRecord) -> bool | None:
    """Whether they were counted; of more classes than are counted it is not known what they are."""
    many = any(call.function in LABEL_LOSSES and len(call.target.shape) == 1 for call in run.of(LossCall))
    return bool(run.of(LabelStream)) or (False if measures_errors(run) and not many else None)


def _targets(run: RunRecord) -> bool | None:
    return bool(run.of(RegressionTargets)) or _loss(REGRESSION_LOSSES)(run)


def _decays(run: RunRecord) -> bool | None:
    return bool(run.of(DecayUse)) or (False if run.of(StepRecord) else None)


def _modes(*kinds: str) -> Callable[[RunRecord], bool | None]:
    """Whether layers that have two modes, of these kinds only if any are given, were seen in a forward or stand in a model."""

    def seen(run: RunRecord) -> bool | None:
        layers = {layer.kind for forward in run.of(ForwardPass) for layer in forward.layers}
        return bool(layers & {*kinds}) or _modules(*_NAMES["batchnorm"], *(() if kinds else _NAMES["dropout"]))(run)

    return seen


def _modules(*kinds: str) -> Callable[[RunRecord], bool | None]:
    """Whether a model holds modules of these kinds, by the beginning of their names."""

    def seen(run: RunRecord) -> bool | None:
        return any(kind.startswith(kinds) for model in run.models for _, kind, *_ in model.modules) if run.models else None

    return seen


def _evaluates(run: RunRecord) -> bool | None:
    return run.evaluations > 0 or any(forward.evaluated and not forward.recomputed for forward in run.of(ForwardPass))


def _rectifies(run: RunRecord) -> bool | None:
    return any(layer.rectified for layer in run.layers) if run.layers else None


_NAMES = {
    "dropout": ("Dropout", "AlphaDropout", "FeatureAlphaDropout"),
    "batchnorm": ("BatchNorm", "SyncBatchNorm", "LazyBatchNorm", "InstanceNorm"),
}
OCCASIONS = {
    "a model": Occasion("no model was called", _any(ForwardPass)),
    "class labels": Occasion("no loss has one class per row for its target", _labels, UNKNOWN_LOSS),
    "cross-entropy": Occasion("no cross-entropy of classes is computed", _loss(LABEL_LOSSES), UNKNOWN_LOSS),
    "binary cross-entropy": Occasion("no binary cross-entropy is computed", _loss(BINARY_LOSSES), UNKNOWN_LOSS),
    "a log-probability loss": Occasion("no loss takes log-probabilities", _loss(LOG_PROBABILITY_LOSSES), UNKNOWN_LOSS),
    "numbers for targets": Occasion("no loss has numbers for targets", _targets, UNKNOWN_LOSS),
    "weighted labels": Occasion("no loss function was given weights for classes", _any(WeightedLabels)),
    "tokens for targets": Occasion("no target is a token of the input", _any(AnswerInInput)),
    "data in a dense layer": Occasion("no linear or convolution layer receives data directly", _any(InputFacts)),
    "an evaluation": Occasion("nothing was evaluated", _evaluates),
    "two modes": Occasion("no model holds torch's dropout or batch normalization", _modes(), UNKNOWN_MODEL),
    "batch statistics": Occasion("no model holds torch's batch normalization", _modes("batchnorm"), UNKNOWN_MODEL),
    "a padding mask": Occasion("no scores were filled by a mask over the positions of an input", _any(PaddingMask)),
    "rectifiers": Occasion("no measured layer is followed by a rectifier", _rectifies, "no layer was measured"),
    "loader workers": Occasion("no DataLoader has several workers", _any(WorkerRandomness)),
    "loaded weights": Occasion("no state dict was loaded", _any(LoadRecord)),
    "a schedule": Occasion("no learning-rate scheduler of torch's was made", _any(SchedulerRecord, ScheduleMade)),
    "clipping": Occasion("no clipping function of torch's was called, and no error is clamped", _any(ClipUse, ClampedError)),
    "weight decay": Occasion("no optimizer decays weights", _decays, "no step without a closure was looked at"),
    "a target network": Occasion("no network makes targets for another one like it", _any(TargetNetwork)),
    "several processes": Occasion("one process trains alone", _any(ReplicaComparison, WrapperBypass)),
    "a distributed sampler": Occasion("no distributed sampler deals out the data", _any(SamplerUse)),
    "a gradient scaler": Occasion("no gradient scaler is used", lambda run: run.scaled),
}
