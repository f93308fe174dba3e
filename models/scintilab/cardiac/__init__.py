"""The workshop of `models/cardiac`: does the heart take up a bone tracer as Perugini grade 2 or 3 does?"""
