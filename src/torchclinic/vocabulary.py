"""Names of torch functions, as a function mode sees them: one set for each kind of operation."""

REFLECTED = frozenset("__rsub__ __rdiv__ __rtruediv__ __rpow__".split())
_REFLECTED = {"rsub": "sub", "radd": "add", "rmul": "mul", "rdiv": "div", "rtruediv": "div", "truediv": "div", "rpow": "pow"}
_IN_PLACE = {"iadd": "add_", "isub": "sub_", "imul": "mul_", "idiv": "div_", "itruediv": "div_", "ipow": "pow_"}
_NAMES = {"true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub", "absolute": "abs"}


def plain_name(name: str) -> str:
    """`__rsub__` -> `sub`, `__iadd__` -> `add_`, `true_divide` -> `div`."""
    if name.startswith("__"):
        name = name.strip("_")
        return _REFLECTED.get(name) or _IN_PLACE.get(name) or name
    return _NAMES.get(name, name)


ARITHMETIC = frozenset("add sub mul div".split())
SCALING = frozenset("mul div mul_ div_".split())
"""By a number."""
IN_PLACE_ARITHMETIC = frozenset("add_ sub_ mul_ div_ pow_ neg_ clamp_ sqrt_ log_".split())
"""Changes numbers where they are."""
COMPARISONS = frozenset("eq ne".split())
CLAMPS = frozenset("clamp clip hardtanh".split())
VIEWS = frozenset("view reshape view_as reshape_as".split())
"""Give the dimensions a new meaning."""
MAY_COPY = frozenset("reshape contiguous flatten ravel".split())
"""Copy only where they must."""
SHAPE_CHANGES = (
    VIEWS
    | MAY_COPY
    | frozenset("squeeze unsqueeze squeeze_ unsqueeze_ unflatten permute transpose t T mT movedim swapaxes".split())
    | frozenset("expand expand_as clone".split())
)
"""Give the values of their argument, in another shape or order."""
PARTS = frozenset("getitem select narrow".split())
"""Of a tensor."""
SPREADING = frozenset("expand expand_as broadcast_to".split())
"""One element stands for many."""
ELEMENTWISE_WRITES = IN_PLACE_ARITHMETIC - {"pow_", "sqrt_", "log_"} | frozenset(
    "setitem index_put_ index_fill_ masked_fill_ fill_diagonal_ tril_ triu_ copy_ normal_ uniform_".split()
)
"""Elements of their own; `fill_` and `zero_` give every element the same number."""
MASKED_FILLS = frozenset("masked_fill masked_fill_".split())
LEAVES_TORCH = frozenset("numpy item tolist argmax detach data detach_ __array__ array".split())
"""What comes of it has no gradient."""
ALPHA_DROPOUTS = frozenset("alpha_dropout feature_alpha_dropout".split())
"""Keep mean and variance; the others divide what they keep by 1 - p, and the mean square grows."""
DROPOUTS = ALPHA_DROPOUTS | frozenset("dropout dropout1d dropout2d dropout3d feature_dropout".split())
NORMALIZATIONS = frozenset("batch_norm layer_norm group_norm instance_norm rms_norm".split())
PROBABILITIES = frozenset("softmax sigmoid sigmoid_".split())
"""Make them of logits."""
SOFTMAXES = frozenset("softmax log_softmax".split())
CLASS_PICKS = frozenset("gather getitem take_along_dim".split())
"""One column for each row."""
REGRESSION_LOSSES = frozenset("mse_loss l1_loss smooth_l1_loss huber_loss".split())
LABEL_LOSSES = frozenset("cross_entropy nll_loss".split())
"""Their target is the number of a class."""
LOG_PROBABILITY_LOSSES = frozenset("nll_loss kl_div".split())
"""Expect log-probabilities."""
BINARY_LOSSES = frozenset("binary_cross_entropy binary_cross_entropy_with_logits".split())
CLASS_LOSSES = LABEL_LOSSES | LOG_PROBABILITY_LOSSES | {"multi_margin_loss"}
"""Have one score for each class."""
SUMS = frozenset("add add_ sub sub_".split())
"""Of two tensors, or of one and a number."""
PARTS_AND_INDICES = PARTS | frozenset("index_select split chunk index".split())
JOINS = frozenset("cat concat concatenate stack hstack".split())
POWERS = frozenset("pow square abs".split())
"""The size of a number."""
REDUCTIONS = frozenset(("mean", "sum"))
LOGARITHMS = frozenset("log log2 log10".split())
NORMS = frozenset("norm vector_norm linalg_vector_norm std cdist".split())
RANDOM_LIKE = frozenset("rand randn rand_like randn_like normal".split())
RANDOM_FILLS = frozenset("normal_ uniform_ exponential_".split())
RANDOM_DRAWS = (
    RANDOM_LIKE
    | RANDOM_FILLS
    | frozenset("randint randint_like randperm bernoulli multinomial poisson bernoulli_ random_ rrelu gumbel_softmax".split())
)
"""Draw random numbers, apart from the dropouts."""
CONSTANTS = frozenset("zeros ones full zeros_like ones_like full_like new_zeros new_ones eye".split())
TRANSPOSES = frozenset("permute transpose swapaxes swapdims movedim moveaxis t T mT H mH".split())
CASTS = frozenset("to type type_as float double half bfloat16 cpu cuda".split())
"""To another type or device."""
BOUNDED_ACTIVATIONS = frozenset("sigmoid tanh hardsigmoid hardtanh softsign".split())
"""Flat on both sides."""
ACTIVATIONS = BOUNDED_ACTIVATIONS | frozenset(
    """
    relu relu6 leaky_relu prelu rrelu threshold elu selu celu gelu silu mish glu hardswish
    softplus logsigmoid softshrink hardshrink tanhshrink sin erf
    """.split()
)
"""Work on each element alone, or, as glu, on pairs."""
RECTIFIERS = frozenset("relu relu_ relu6 hardtanh threshold threshold_".split())
"""Zero, or constant, on a whole half of the line."""
ERRORS = REGRESSION_LOSSES | BINARY_LOSSES | LABEL_LOSSES
"""Losses that measure how far a prediction is from its target."""
LOSSES = (
    CLASS_LOSSES
    | REGRESSION_LOSSES
    | BINARY_LOSSES
    | frozenset("poisson_nll_loss soft_margin_loss multilabel_soft_margin_loss".split())
)
ADAPTIVE_OPTIMIZERS = tuple("Adam RMSprop Adagrad Adadelta NAdam RAdam Rprop Lion Adamax Muon".split())
"""Beginnings of the names of optimizers that divide by the size of past gradients."""
RESCALING_OPTIMIZERS = (*ADAPTIVE_OPTIMIZERS, "SparseAdam", "Adafactor")
"""... and of those whose weight decay, if they have one, is no term of the gradient."""
DENSE_LAYERS = frozenset("Linear Conv1d Conv2d Conv3d".split())
"""Whose outputs are weighted sums of their inputs."""
