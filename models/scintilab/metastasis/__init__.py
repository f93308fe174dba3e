"""The workshop of `models/metastasis`: VGG16 as in Ibrahim et al. 2023 (Cancer Imaging 23:12), on both views."""
