"""The programs that run inside the sandbox, beside the untrusted notebook.

In: a notebook and the hand-in's files, read-only.
Out: one JSON object a line: each cell's outputs, cleaned, and what the notebook tried.
"""
