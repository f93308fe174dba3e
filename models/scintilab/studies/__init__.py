"""Is a generator of scans good, private and useful? Three studies, each with what real scans would have got beside it.

`quality` asks whether synthetic scans look like real ones and show what they were asked for, `privacy` whether they are
copies of scans that the generator has learnt from, and `augmentation` whether classifiers learn from them what they
would learn from more patients (Haberl et al. 2025, doi 10.1007/s00259-025-07091-8). "Real" are simulated patients, and
every table says so; a generator is whatever keeps the promise of `samples.Generator`.
"""
