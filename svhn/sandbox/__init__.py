"""Untrusted code and files, confined.

In: a function and its limits (`process`), or a command and its limits (`bubblewrap`).
Out: plain data, JSON from the function or bytes from the command, or the limit at which it was stopped.
"""
