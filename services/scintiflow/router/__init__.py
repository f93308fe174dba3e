"""Reads a ready study: views, findings, DICOM results."""
