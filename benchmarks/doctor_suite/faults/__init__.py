"""Faults of target encoders, each a mix-in that changes one step of any encoder it suits.

``codes``: names that are equally right for it, of ``diagnosis.CODES``; ``severity``: that of the finding; ``suits``:
the schemes it is planted in by itself. A class's docstring says what was done wrong.
"""
