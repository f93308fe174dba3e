"""One line of data: a bone scan comes in over DICOM, a DICOM result goes back.

The receiver makes every object durable and tells the keeper. The keeper gathers objects into studies and
decides when one is ready. The router decodes the two views, asks the classifier for findings and encodes
them as DICOM objects. The sender delivers those to each destination. The disk under DATA holds the truth;
everything in Redis can be rebuilt from it. A folder with `__main__.py` or `service.py` is a process,
everything else is a library.
"""

from importlib.metadata import version

__version__ = version("scintiflow")
