"""A digital patient and the gamma camera that scans it: numpy and scipy only.

Millimetres throughout; x points to the patient's left, y to the front, z from the soles up. Bones are
clouds of points that carry activity (`geometry`, `skeleton`), each patient moves, scales and recolours
them (`patient`, `lesions`), soft tissue is solved in closed form between two skin surfaces (`body`), and
the camera projects, blurs and counts (`camera`). Every random factor of a patient has its own stream
(`streams`), so a new factor changes no other.
"""
