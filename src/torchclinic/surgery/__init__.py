"""Surgery on live models: other heads and stems, frozen parts, and the proof of what a step changes."""
