"""The assignment as an nbgrader course.

In: the notebook with its solutions, and this package.
Out: a course folder, and the student release with stubs in place of the solutions.
"""
