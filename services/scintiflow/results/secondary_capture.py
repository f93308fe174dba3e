"""The picture: a Secondary Capture with both views, the heat map and the answer in words (PS3.3 A.8.1)."""

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import SecondaryCaptureImageStorage
from pydicom.valuerep import VR

from scintiflow.dicom.identity import EQUIPMENT
from scintiflow.dicom.recurring import settle
from scintiflow.results.drawing import draw
from scintiflow.results.envelope import envelope, first_with, reference, selected_frames
from scintiflow.results.reading import DISCLAIMER, VIEW_NAMES, Reading, views_in_order

KIND = "picture"
VERSION = "2"
SERIES = (9002, "AI heat map, research only")


def encode(reading: Reading) -> Dataset:
    """Return the picture of one assessed finding, ready for `save_as(..., enforce_file_format=True)`."""
    picture = envelope(reading, SecondaryCaptureImageStorage, KIND, VERSION, SERIES)
    # Not NM: a viewer would hang it, and a receiver could read it, as a scan.
    picture.Modality = "OT"
    picture.ConversionType = "WSD"
    picture.BodyPartExamined = "WHOLEBODY"
    picture.PatientOrientation = None
    picture.ImageType = ["DERIVED", "SECONDARY"]
    picture.BurnedInAnnotation = "NO"
    picture.SecondaryCaptureDeviceManufacturer = EQUIPMENT.manufacturer
    picture.SecondaryCaptureDeviceManufacturerModelName = EQUIPMENT.model
    picture.SecondaryCaptureDeviceSoftwareVersions = EQUIPMENT.version
    _derive(picture, reading)
    _paint(picture, reading)
    return settle(picture)


def _derive(picture: Dataset, reading: Reading) -> None:
    """Say what was read and how (PS3.3 C.7.6.1), lossy compression of the scan and its request included."""
    finding = reading.finding
    views = " and ".join(VIEW_NAMES[view.view] for view in views_in_order(finding))
    picture.DerivationDescription = (
        f"Heat map of {finding.model} {finding.model_version} over the scan ({views}), beside the unmarked scan."
        f" {DISCLAIMER}"
    )
    picture.SourceImageSequence = [reference(source, frames) for source, frames in selected_frames(reading)]
    for item in picture.SourceImageSequence:
        item.PurposeOfReferenceCodeSequence = [_coded(codes.DCM.SourceImageForImageProcessingOperation)]
    if source := first_with(reading.scan.sources, "RequestAttributesSequence"):
        picture.add(source["RequestAttributesSequence"])
    lossy = [source for source in reading.scan.sources if source.get("LossyImageCompression") == "01"]
    picture.LossyImageCompression = "01" if lossy else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if source := first_with(lossy, keyword):
            picture.add(source[keyword])


def _paint(picture: Dataset, reading: Reading) -> None:
    """Put the drawing in as 8-bit RGB, pixel by pixel (PS3.3 C.7.6.3)."""
    sheet = draw(reading)
    picture.Rows, picture.Columns, picture.SamplesPerPixel = sheet.shape
    picture.PhotometricInterpretation = "RGB"
    picture.PlanarConfiguration = 0
    picture.BitsAllocated = picture.BitsStored = 8
    picture.HighBit = 7
    picture.PixelRepresentation = 0
    picture.add_new("PixelData", VR.OB, sheet.tobytes())


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item
