"""What DICOM means to us; pure: no network, no disk."""

import logging
import warnings

from pydicom import config

# pydicom's warnings quote what they complain of: a patient's name, or line feeds that would forge lines of a log.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module="pydicom")
