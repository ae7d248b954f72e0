"""A file holds an object whose class is not there.

## What it means
A module that was saved whole is known by the name and the file of its class only.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Keep a class of that name where it was, load, and save the state dict from then on.
## References
PyTorch documentation, Saving and loading models.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR184", "pickled-class-missing", __doc__, (r"Can't get attribute '(?P<name>\w+)' on <module '(?P<place>[^']+)'",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"The file holds an object of class {scene['name']}, which is looked up in {scene['place']} and is not there any more",
        "Give that place a class of that name, load, and save model.state_dict() from then on",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("raise AttributeError", "str")


_SCRIPT = """
import __main__
raise AttributeError("Can't get attribute 'Net' on <module '__main__' from 'a.py'>")
"""
