"""A machine that makes random sequences of everything that can happen to a network and its record of edits.

Beside every network lives a plain account of the truth that shares no code with ``surgery``: what each class row must
be, bit for bit, which edits stand, and what every predictor must run. After each step the two are compared.
``python -m tests.surgery.machine 5000`` runs that many sequences.
"""
