"""An interpreter of pickle streams that executes nothing: globals and calls become inert records."""

from typing import Any

from torchclinic.checkpoints.machine import MOST_BYTES, MOST_STEPS, Machine
from torchclinic.checkpoints.opcodes import HANDLERS
from torchclinic.errors import CheckpointError


class StreamReader(Machine):
    """Reads one pickle after another from its data."""

    def read(self) -> Any:
        """The value of the next pickle of the stream.

        Raises:
            CheckpointError: the stream is truncated or malformed, or exceeds the bounds.
        """
        self.stack = []
        self.memo = {}
        while True:
            code = self.take(1)[0]
            self.steps += 1
            if self.steps > MOST_STEPS or self.text_bytes > MOST_BYTES:
                raise CheckpointError(
                    f"The pickle stream takes more than {MOST_STEPS:,} steps or {MOST_BYTES >> 20} MiB of text, "
                    "more than the description of any model needs; reading stopped."
                )
            if code == 0x2E:  # STOP
                return self.pop()
            handler = HANDLERS.get(code)
            if handler is None:
                raise self.malformed(f"there is no pickle operation 0x{code:02x}")
            try:
                handler(self)
            except (ValueError, OverflowError, UnicodeDecodeError) as error:
                raise self.malformed("a number or text cannot be read") from error
