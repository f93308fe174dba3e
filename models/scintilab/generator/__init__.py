"""The workshop of `models/generator`: whole-body bone scans from noise and conditions.

A tokeniser folds the expected counts of both views into a small latent image, and a rectified flow makes such images
from noise (Liu et al. 2022, arXiv 2209.03003; a transformer with adaptive layer norms as in Peebles and Xie 2022, arXiv
2212.09748). What the graph gives are *expected* counts; whoever asks for a scan draws Poisson counts from them.
"""
