"""A second suite that judges the doctor: decoders, losses and grids as people write them, and faults as lines of code.

A base is a module that is right. A fault is an edit of its text: a line as it was, and as somebody wrote it instead.
``python -m benchmarks.doctor_suite2.run`` asks the doctor; ``python -m benchmarks.doctor_suite2.verify`` proves the
suite itself.
"""
