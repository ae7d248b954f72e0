"""One file per kind of error: document, messages, explanation, specimen, twin."""
