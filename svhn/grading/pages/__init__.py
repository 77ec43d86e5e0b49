"""What people get, and the one table that they fill in.

In: the evidence of hand-ins and their marks.
Out: a report and feedback for each, a table and an index of all, and which marks wait for a person.
"""
