"""Rows to learn from and to answer: labels, the one maker of rows, and splits over time.

A label says what is asked and when the answer is known; the dataset joins inputs to it by
`available_at` alone; a split never lets a training answer reach into the rows it tests.
"""
