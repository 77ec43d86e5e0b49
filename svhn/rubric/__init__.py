"""The questions of the assignment and their worth.

In: `calibration.toml`, and the accuracy that was reached.
Out: the questions, their rows of marks, what an accuracy is worth in points, and which preprocessing may be tried.
"""
