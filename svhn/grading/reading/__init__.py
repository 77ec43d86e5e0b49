"""A stranger's files understood, one at a time, without trust.

In: bytes of a file: a description of a network, weights, a pickle, a table, a notebook.
Out: plain values, or the reason why the file is refused and what to hand in instead.
"""
