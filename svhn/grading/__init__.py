"""Hand-ins graded.

In: folders and archives handed in, the digits to measure on, and the marks that a person enters.
Out: evidence, marks, a report and feedback for each hand-in; a table and an index of all.
"""
