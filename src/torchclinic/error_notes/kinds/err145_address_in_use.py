"""The port on which processes are to meet is taken.

## What it means
Another run, or one that did not end, listens on the same port.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
End the other run, or choose another port: `torchrun --master-port=0` takes a free one.
## References
PyTorch documentation, `torchrun`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR145",
    "address-in-use",
    __doc__,
    (r"The server socket has failed to listen on any local network address", r"EADDRINUSE|[Aa]ddress already in use"),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The port is taken: another run listens on it, or one that did not end",
        "End the other run, or choose another port (torchrun --master-port=0 takes a free one)",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("b.bind(a.getsockname())", "b.bind(('127.0.0.1', 0))")


_SCRIPT = """
import socket
a, b = socket.socket(), socket.socket()
a.bind(('127.0.0.1', 0))
a.listen()
try:
    b.bind(a.getsockname())
finally:
    a.close(), b.close()
"""
