"""Whether gradients are scaled."""


class Scaling:
    used = False  # a scaler has scaled a loss of this run
    factor = 0.0  # by which the gradients are multiplied right now; 0 = they are not
