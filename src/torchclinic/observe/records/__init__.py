"""What an observer saw, by subject: plain data, no tensor, no live module. Rules read these and nothing else.

Collectors fill them in while the run goes on; `collect` gives frozen copies.
"""

from torchclinic.observe.records.backwards import BackwardPass, CutDraw, NonFinite, RetainedGraph
from torchclinic.observe.records.checkpoints import CheckpointUse, LoadRecord
from torchclinic.observe.records.data import BatchRun, LoaderRecord, MutatedData, PaddingMask, WorkerRandomness
from torchclinic.observe.records.evaluation import (
    Agreement,
    AnswerInInput,
    CarryOver,
    EvalPass,
    FedInputs,
    HeldOutUse,
    ModeGap,
    RandomCall,
    ScoreComparison,
    UnmeasuredStatistics,
)
from torchclinic.observe.records.forwards import EvaluationGraph, ForwardPass, InputFacts, LayerPass, ModelRecord, SoftmaxUse
from torchclinic.observe.records.labels import EvaluatedLabels, LabelBatch, LabelStream
from torchclinic.observe.records.learning import FittedBatch, Learning, Refit
from torchclinic.observe.records.losses import Elementwise, LossCall, LossDirection, Operand, UnevenTerms
from torchclinic.observe.records.memory import AxesRenamed, OverlappingWrite, PinnedStorage, SilentCopy
from torchclinic.observe.records.optimizers import OptimizerRecord, ScheduleMade, SchedulerRecord, StepRecord
from torchclinic.observe.records.parameters import ParameterRecord
from torchclinic.observe.records.ranks import ReplicaComparison, SamplerUse, WrapperBypass
from torchclinic.observe.records.run import Failure, ProbeFailure, RunRecord
from torchclinic.observe.records.targets import RegressionTargets, TargetNetwork, WeightedLabels
from torchclinic.observe.records.updates import ClampedError, ClipUse, DecayUse, DiscardedUpdate, HalfUse, ScaledClip

__all__ = [
    "Agreement",
    "AnswerInInput",
    "AxesRenamed",
    "BackwardPass",
    "BatchRun",
    "CarryOver",
    "CheckpointUse",
    "ClampedError",
    "ClipUse",
    "CutDraw",
    "DecayUse",
    "DiscardedUpdate",
    "Elementwise",
    "EvalPass",
    "EvaluatedLabels",
    "EvaluationGraph",
    "Failure",
    "FedInputs",
    "FittedBatch",
    "ForwardPass",
    "HalfUse",
    "HeldOutUse",
    "InputFacts",
    "LabelBatch",
    "LabelStream",
    "LayerPass",
    "Learning",
    "LoadRecord",
    "LoaderRecord",
    "LossCall",
    "LossDirection",
    "ModeGap",
    "ModelRecord",
    "MutatedData",
    "NonFinite",
    "Operand",
    "OptimizerRecord",
    "OverlappingWrite",
    "PaddingMask",
    "ParameterRecord",
    "PinnedStorage",
    "ProbeFailure",
    "RandomCall",
    "Refit",
    "RegressionTargets",
    "ReplicaComparison",
    "RetainedGraph",
    "RunRecord",
    "SamplerUse",
    "ScaledClip",
    "ScheduleMade",
    "SchedulerRecord",
    "ScoreComparison",
    "SilentCopy",
    "SoftmaxUse",
    "StepRecord",
    "TargetNetwork",
    "UnevenTerms",
    "UnmeasuredStatistics",
    "WeightedLabels",
    "WorkerRandomness",
    "WrapperBypass",
]
