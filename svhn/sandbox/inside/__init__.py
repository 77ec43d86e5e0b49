"""The programs that run inside the sandbox, beside the untrusted notebook.

In: a notebook and the hand-in's files, read-only.
Out: lines of JSON with the cleaned outputs of each cell, and the notebook's attempts on its surroundings.
"""
