"""What the assignment asks for and what it is worth.

In: `calibration.toml`, and the accuracy that was reached.
Out: the questions, their rows of marks, what an accuracy is worth in points, and which preprocessing may be tried.
"""
