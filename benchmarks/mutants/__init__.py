"""Plants small faults into the sources, one at a time, and asks whether a test notices.

``python -m benchmarks.mutants --count 200 --seed 1`` from the root of the project; ``--help`` lists the rest. The
working tree is never written to: every worker has a copy of it.
"""
