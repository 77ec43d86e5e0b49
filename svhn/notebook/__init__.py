"""The assignment's notebook: read, executed, and shown as a report.

In: `Assignment3.ipynb`, `answers.py` and the stored models.
Out: its definitions, its executed copy, plots, report and published figures, and the readings of stored models.
"""
