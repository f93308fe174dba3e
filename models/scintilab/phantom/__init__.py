"""A digital patient and the gamma camera that scans it: simulated bone scans whose truth is known for every pixel.

Millimetres throughout; x points to the patient's left, y to the front, z from the soles up. The line of a scan:

    template    a reference adult as a cloud of points: bones (`skeleton`) and organs (`organs`), built of `geometry`
    patient     one person (`person`) of a site, as they lie (`pose`): an affine map and an uptake for every part,
                foci benign and malignant (`foci`), skin and soft tissue (`body`)
    camera      projects, blurs, scatters and counts, in torch, how the site scans (`acquisition`)
    cohort      many patients of a site on the classifiers' canvas, with the truth and what became of them (`outcome`)

Every random factor of a patient has its own counter-based stream (`streams`): a new factor changes no other, and
nobody's scan depends on who else is simulated, in which order, or by how many threads. What decides how hard the
questions are stands in `priors.toml`, with sources, and is frozen.
"""
