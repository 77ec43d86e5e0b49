"""What the assignment asks for and what it is worth.

In: `calibration.toml`, and the accuracy that was reached.
Out: the sixteen rows of marks, and the points of those that an accuracy decides.
"""
