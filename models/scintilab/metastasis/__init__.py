"""The workshop of `models/metastasis`: population, network, training, export. Only the last three need torch."""
