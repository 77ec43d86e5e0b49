"""The questions of the assignment and their worth.

In: `calibration.toml`, and the accuracy that was reached.
Out: the questions, their rows of marks, the points for an accuracy, and the preprocessing that may be tried.
"""
