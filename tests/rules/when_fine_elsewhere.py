"""Clauses of *When this is fine* whose case stands in another file, and sentences there that state no exception."""

from typing import NamedTuple


class Elsewhere(NamedTuple):
    code: str
    clause: str  # words of the clause, as the rule's document has them
    file: str  # below tests/
    name: str  # of a test, or of one of its cases


_TARGETS, _CARRIED = "observe/collectors/test_targets_observed.py", "observe/collectors/test_carry_over.py"
_RANKS, _DRAWS = "observe/collectors/test_replicas.py", "observe/collectors/test_cut_draws.py"
_ANSWERS, _HANDMADE = "observe/collectors/test_answers_in_inputs.py", "observe/collectors/test_handmade_losses.py"
_DISCARDED, _ODD = "observe/collectors/test_discarded_updates.py", "rules/test_odd_but_right.py"

ELSEWHERE = [
    Elsewhere("DAT005", "labels that are almost noise", _CARRIED, "test_weak_relations_and_few_rows_are_not_enough"),
    Elsewhere("DAT005", "integer or coded inputs", _CARRIED, "codes"),
    Elsewhere(
        "DAT005",
        "above chance on its first training batches",
        _CARRIED,
        "test_a_model_above_chance_on_its_first_batches_or_in_any_evaluation_is_no_such_case",
    ),
    Elsewhere("DAT005", "answers far below chance", _CARRIED, "test_answers_far_below_chance_are_undecided"),
    Elsewhere("DAT005", "too few rows", _CARRIED, "few_rows"),
    Elsewhere(
        "DAT007",
        "A state that nobody draws from",
        "observe/collectors/test_workers_observed.py",
        "test_a_state_that_nobody_draws_from_is_not_recorded",
    ),
    Elsewhere("DAT009", "Targets of any size that are learned", _TARGETS, "large-and-learned"),
    Elsewhere("DAT009", "still falls fast enough", _TARGETS, "on-the-way"),
    Elsewhere("DAT009", "fewer than `min_steps` steps", _TARGETS, "few-steps"),
    Elsewhere(
        "DAT010",
        "one of whose evaluations does look like training",
        "observe/collectors/test_inputs_fed.py",
        "a-hard-test-beside-the-plain-one",
    ),
    Elsewhere("DST001", "not constant, gradient on ranks", _RANKS, "same_gradient_by_itself"),
    Elsewhere("DST001", "a parameter under DistributedDataParallel", _RANKS, "ddp"),
    Elsewhere("DST001", "if a DistributedSampler deals the data out", _RANKS, "averaged_at_the_end"),
    Elsewhere("DST001", "local SGD", _RANKS, "local_steps"),
    Elsewhere("DST001", "Different names or shapes", _RANKS, "other_models"),
    Elsewhere("DST001", "a sweep", _RANKS, "sweep"),
    Elsewhere("DST001", "experts", _RANKS, "experts"),
    Elsewhere("DST001", "a part left out of the exchange by hand", _RANKS, "part_left_out"),
    Elsewhere("EVA003", "the nodes of a graph", _ODD, "one-graph-for-training-and-test"),
    Elsewhere("GRA003", "A branch that is switched on later", _ODD, "block-that-rests-at-first"),
    Elsewhere(
        "INI006",
        "one layer of small weights",
        "rules/test_propagation_rules.py",
        "test_one_layer_of_small_weights_is_fine_many_are_not_and_one_of_large_ones_is_not",
    ),
    Elsewhere(
        "INI006",
        "a skip connection or another branch",
        "rules/test_propagation_rules.py",
        "test_small_weights_on_branches_of_a_residual_network_are_fine",
    ),
    Elsewhere("LOS008", "one term", _HANDMADE, "one-term"),
    Elsewhere("LOS008", "whose targets come from no model", _HANDMADE, "pushed-from-its-own-copy"),
    Elsewhere("LOS008", "are not what the model is given", _HANDMADE, "reward-of-distance"),
    Elsewhere("LOS011", "Autoencoders", _ANSWERS, "autoencoder"),
    Elsewhere("LOS011", "masked tokens", _ANSWERS, "masked-tokens"),
    Elsewhere("LOS011", "as in a prefix", _ANSWERS, "prefix"),
    Elsewhere("LOS012", "the weights say so on purpose", _TARGETS, "recall-at-any-price"),
    Elsewhere("LOS012", "Classes of weight 0", _TARGETS, "background-left-out"),
    Elsewhere("LOS012", "one rare class that weighs less", _TARGETS, "one-rare-class-spared"),
    Elsewhere("MOD004", "One sample at a time", "observe/test_late_faults.py", "test_batch_norm_over_one_picture"),
    Elsewhere(
        "MOD005",
        "A copy that still holds the first weights",
        "observe/collectors/test_unmeasured_statistics.py",
        "a copy of the first weights",
    ),
    Elsewhere("MOD005", "a network of its own", "observe/collectors/test_unmeasured_statistics.py", "a network of its own"),
    Elsewhere("MOD006", "a teacher whose parameters follow by averaging", _ODD, "averaged-target-in-train-mode"),
    Elsewhere(
        "MOD008", "A bottleneck", "rules/test_propagation_rules.py", "test_a_bottleneck_restricts_the_rank_and_is_left_alone"
    ),
    Elsewhere("MOD009", "A batch without padding", "observe/collectors/test_padding_masks.py", "no-padding"),
    Elsewhere(
        "OPT005", "A penalty below the loss", "observe/collectors/test_decay_in_adam.py", "test_usual_decays_in_adam_are_fine"
    ),
    Elsewhere(
        "OPT006",
        "ignores outliers on purpose",
        "observe/collectors/test_clamped_errors.py",
        "test_it_is_reported_where_the_loss_stands_and_not_where_it_falls",
    ),
    Elsewhere("WIR006", "policy gradients", _DRAWS, "policy-gradient"),
    Elsewhere("WIR006", "that feed a critic", _DRAWS, "actor-and-critic-in-one-loss"),
    Elsewhere("WIR006", "or the model itself", _DRAWS, "fed-its-own-samples"),
    Elsewhere("WIR006", "or make targets", _DRAWS, "soft-actor-critic"),
    Elsewhere("WIR008", "a script that updates parameters by hand", _DISCARDED, "in-place"),
    Elsewhere("WIR008", "Moved parameters that a model is evaluated at", _DISCARDED, "inner-steps"),
    Elsewhere("WIR010", "sharpness-aware minimization", _ODD, "sharpness-aware"),
    Elsewhere("WIR011", "A random target", _TARGETS, "random-target"),
    Elsewhere("WIR011", "trained before", _TARGETS, "trained-before"),
    Elsewhere("WIR011", "loaded", _TARGETS, "loaded-checkpoint"),
    Elsewhere("WIR011", "more steps than the run has", _TARGETS, "short-run"),
]

# Sentences that say more about the one before, or leave the decision to the reader: no script can show them.
REMARKS = {
    "DST001": ["Only what is meant to be equal is judged."],
    "DST003": ["Neither is looked at."],
    "INI001": ["They part at once."],
    "INI005": ["that chance is what the rule computes."],
    "LOS008": ["there more than one optimizer steps, and the rule abstains."],
    "MOD003": ["Then this rule abstains."],
    "MOD008": ["studies of deep linear networks."],
    "OPT005": ["it settles where both parts are in balance, far below a ratio of 1."],
    "OPT006": ["There the rule is silent."],
    "SHP002": ["There the rule abstains.", "It looks at two batches."],
    "WIR001": ["It is not reported."],
}
