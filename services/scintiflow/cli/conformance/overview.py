"""Sections 1 to 5: what it is, which services it has, and what happens when they are used."""

from collections.abc import Mapping

from pynetdicom.sop_class import Verification

from scintiflow import __version__
from scintiflow.cli.conformance.installation import Installation
from scintiflow.cli.conformance.sop_classes import named, storage_classes
from scintiflow.cli.conformance.table import table
from scintiflow.dicom.identity import EQUIPMENT
from scintiflow.results.reading import DISCLAIMER


def cover() -> str:
    """Return the cover page."""
    return f"""\
# DICOM conformance statement: {EQUIPMENT.manufacturer} {__version__}

In the order of DICOM PS3.2 Annex N; sections that do not apply are named and empty. Written by
`scintiflow conformance` from the lists, settings and encoders that are at work, never by hand; the copy in `docs` is
that of the default settings. **{DISCLAIMER}.**"""


def overview(created: Mapping[str, str]) -> str:
    """Return section 1; `created` gives the SOP class of each kind of result."""
    rows = ((named(uid), kind, "Y", "N", "Y", "Y") for kind, uid in created.items())
    services = (
        ("1.2.1 Verification", named(Verification), "N", "Y"),
        *(("1.2.2 Storage", named(uid), "Y", "Y") for uid in created.values()),
        ("1.2.2 Storage", f"{len(storage_classes()) - len(created)} other storage classes (7.2.1.4)", "N", "Y"),
    )
    return f"""\
## 1 Overview

scintiflow receives whole-body bone scans, keeps them, lets classifiers read them, and sends a structured report and a
picture of each classifier's finding back into the same study.

### 1.1 Content and transfer

{table(("SOP class", "As", "Created", "Read", "Sent", "Received"), rows)}

Read are whole-body scans: Nuclear Medicine Image Storage, and Secondary Capture with the pixels of a scan. Every other
storage class is received, kept for a while and declined, never read.

#### 1.1.1 Structured report root templates

TID 1500, Measurement Report (Annex B).

### 1.2 DIMSE services

{table(("Service", "SOP class", "SCU", "SCP"), services)}

1.2.3 Workflow management, 1.2.4 query and retrieve, 1.2.5 printing: none. Storage commitment: none.

### 1.3 DICOM web services

None.

### 1.4 Media services

None.

### 1.5 Real-time video

None.

### 1.6 De-identification profiles

None: results repeat who the patient is (Annex A), so that they are filed.

### 1.7 Specific character sets

Section 5.7."""


def contents() -> str:
    """Return section 2."""
    return """\
## 2 Table of contents

1 Overview, 2 Table of contents, 3 Introduction, 4 Implementation model, 5 Service and interoperability description,
6 Configuration, 7 Network and media communication details, 8 Security, Annex A Information object definitions, Annex B
Structured report content encoding, Annex C Security details, Annex D Mapping of attributes, Annex E Code set usage."""


def introduction() -> str:
    """Return section 3."""
    return """\
## 3 Introduction

3.1 Revision history: `CHANGELOG.md`. 3.2 Audience: who connects scintiflow with a PACS. 3.3 Remarks: conformance makes
working together likely, it does not prove it; both sides have to be tested together. 3.4 Terms and 3.5 abbreviations
are those of the standard. 3.6 References: DICOM PS3.1 to PS3.22."""


def model(installation: Installation) -> str:
    """Return section 4."""
    receiver, sender = installation.receiver.ae_title, installation.sender.ae_title
    return f"""\
## 4 Implementation model

### 4.1 Application entities and data flow

```
PACS, scanner --C-STORE--> receiver ({receiver}) --> DATA --> classifiers --> sender ({sender}) --C-STORE--> PACS
```

#### 4.1.1 Receiver

Takes objects over the network and makes them durable. It begins when an association is accepted, and answers an object
when it is on disk.

#### 4.1.2 Sender

Sends results to the destinations that are configured. It begins when results of a study are written; each destination
has its own queue and its own associations."""


def services(installation: Installation) -> str:
    """Return section 5."""
    sender = installation.sender
    return f"""\
## 5 Service and interoperability description

### 5.1 Mapping of services to application entities

{table(("Service", "SCU", "SCP"), (("Verification", "none", "receiver"), ("Storage", "sender", "receiver")))}

### 5.2 DIMSE services

#### 5.2.5 Storage

##### 5.2.5.1 SCU: results

All results that a destination is due from one study go over one association. They are written once and sent as they
were written, so that every further transmission is of the same bytes under the same SOP Instance UID; nothing is
transcoded. A destination that is away or out of resources is tried again after {sender.retry_first_seconds:g} s, twice
as long each time, at most {sender.retry_cap_seconds:g} s, for {sender.give_up_days:g} days. A result may be transmitted
more than once, if an answer is lost; it is never sent with other content.

##### 5.2.5.2 SCP: scans and all else

Level 2 (full): objects are kept bit by bit as they came, private attributes included, until retention ends. Nothing is
coerced. The same bytes again are one object; other bytes under the same SOP Instance UID are kept
beside the first, which is the one that is read. No object can be retrieved from scintiflow.

Results of ours that a rule of a PACS sends back are answered with success, and neither read nor sent again.

#### 5.2.1 to 5.2.4, 5.2.6 to 5.2.8

None.

### 5.3 DICOM web services, 5.4 media services, 5.5 real-time video

None.

### 5.6 Cross-service considerations

A study is read when both views of a delayed bone scan are there, else when it has been quiet for a while. Results lie
in the study of the scan, each kind in a series of its own. If the views that are to be read change, a revision is sent;
its report names the one before.

Synthetic data: a study with Synthetic Data (0008,001C) = YES is read like any other. The attribute is repeated in its
results, which say so in words too, and go only to destinations that ask for them (`synthetic`, 6.2.5). Scans that
scintiflow itself makes carry it, with Synthesizing Equipment as contributing equipment.

### 5.7 Specific character sets

The character set of the scan is repeated in results, and all values with it. What is not written in the set that the
scan declares is left out; where the scan declares a set that is none, results are in ISO_IR 192 (UTF-8). Text of our
own is ASCII, and so are C-STORE error comments."""
