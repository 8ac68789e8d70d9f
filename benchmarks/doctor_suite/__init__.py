"""A suite that judges the doctor: correct encoders of known schemes, and faults as people make them, with their names.

Written from the papers of the schemes and from the interface of the doctor, without looking at how it works.
``python -m benchmarks.doctor_suite.run`` asks the doctor for all of it; ``python -m benchmarks.doctor_suite.verify``
proves the suite itself: correct encoders decode back to the boxes, and every fault changes what it is planted in.
"""
