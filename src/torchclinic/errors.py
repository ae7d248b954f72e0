"""Exceptions a caller may want to catch.

    ClinicError                    everything torchclinic raises on purpose
     ├─ InputError (ValueError)    the given value cannot work; the message says what would
     ├─ DataError                  a data set is missing, damaged or cannot be fetched
     └─ CheckpointError            a checkpoint is missing, damaged or does not fit

Each message is one or two sentences: the given value, the requirement, the place, the next step.
"""


class ClinicError(Exception):
    """Base of every exception torchclinic raises on purpose."""


class InputError(ClinicError, ValueError):
    """A given value cannot work."""


class DataError(ClinicError):
    """A data set is missing, damaged or cannot be fetched."""


class CheckpointError(ClinicError):
    """A checkpoint is missing, damaged or does not fit."""
