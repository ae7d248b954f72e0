"""Checkpoint X-ray: what a file holds, read without executing anything in it and without importing torch.

streams.py   an interpreter of the pickle stream that builds inert records
rebuilding.py   what torch's own rebuild functions would have made of them: storages and tensors
archives.py safetensors.py files.py folders.py   the containers, each bounded in memory and time
naming.py    nested values → named tensors;   values.py   NaN, Inf, constants, by bit patterns
inspection.py   all of it;   comparison.py   two of them;   findings.py   what a reader should know
"""
