"""What DICOM means to us; pure: no network, no disk."""

from pydicom import config

# Its warnings quote the offending value, which may be a patient's name.
config.settings.reading_validation_mode = config.IGNORE
