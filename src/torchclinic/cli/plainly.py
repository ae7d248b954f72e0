"""Streams that cannot write every character: what they lack is written in ASCII, as rich and pytest do it."""

import codecs
import sys
from typing import TextIO
from unicodedata import name, normalize

_WORDS = {
    "═": "=", "─": "-", "━": "-", "│": "|", "└": "`", "→": "->", "←": "<-", "↔": "<->", "✓": "ok", "✗": "x", "·": "-", "•": "*",
    "≥": ">=", "≤": "<=", "≠": "!=", "±": "+-", "×": "x", "…": "...", "−": "-", "—": "-", "–": "-", "≈": "~", "√": "sqrt ",
    "∞": "inf", "‖": "||", "‘": "'", "’": "'", "“": '"', "”": '"', "∈": " in ", "∂": "d", "°": " degrees", "⁻": "^-",
}  # fmt: skip
_BARS = "▁▂▃▄▅▆▇█"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(plain, error.object[error.start : error.end])), error.end


def plain(character: str) -> str:
    """The character in ASCII: our signs as they are typed, Greek letters by their names, others as an escape."""
    if character in _WORDS:
        return _WORDS[character]
    if character in _BARS:
        return ".:-=+*#@"[_BARS.index(character)]
    bare = normalize("NFKD", character).encode("ascii", "ignore").decode()
    greek = name(character, "").partition("GREEK SMALL LETTER ")[2] or name(character, "").partition("GREEK CAPITAL LETTER ")[2]
    return bare or greek.lower() or character.encode("ascii", "backslashreplace").decode()


codecs.register_error("torchclinic.plain", _replace)


def write_plainly(*streams: TextIO) -> None:
    """From here on these streams write everything."""
    for stream in streams or (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="torchclinic.plain")
