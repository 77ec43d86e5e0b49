"""The assignment's notebook: read, executed, and told as a report.

In: `Assignment3.ipynb`, `answers.py` and the stored models.
Out: its definitions, its executed copy, plots, report and published figures, these measured anew, and what a stored
model predicts.
"""
