"""What the trainings of both classifiers share: what is learnt from, how it is varied, a loop that can be resumed."""
