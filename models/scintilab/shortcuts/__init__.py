"""Can the answer be told without the disease? Looked for before anything is trained.

Classifiers look at how a scan was made (counts, height, BMI, pose, injection, tracer), at pictures from which the
disease is masked, and at twins: the same patients in the same noise, with the disease removed. Where they tell sick
from healthy, there is a shortcut, and a network would take it.

`masked` makes pictures without disease, `cause` says what nature excuses, `suspect` what is tried, `verdict` judges.
"""
