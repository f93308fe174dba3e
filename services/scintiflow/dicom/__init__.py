"""What DICOM means to us; pure: no network, no disk."""
