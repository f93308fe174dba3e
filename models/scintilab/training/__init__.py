"""What the trainings of all classifiers share: what is learnt from, how it is varied, and a loop that can be resumed."""
