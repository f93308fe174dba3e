"""Sections 6 to 8: configuration, association by association what is negotiated, statuses, security."""

from collections.abc import Mapping

from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.sop_class import Verification

from scintiflow.cli.conformance.installation import Installation
from scintiflow.cli.conformance.parameters import rules_table, settings_table
from scintiflow.cli.conformance.sop_classes import storage_classes, uids
from scintiflow.cli.conformance.statuses import rejections, returned_statuses, understood_statuses
from scintiflow.cli.conformance.table import table
from scintiflow.dicom.identity import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from scintiflow.receiver.listener import MAXIMUM_PDU, TRANSFER_SYNTAXES
from scintiflow.receiver.lobby import LONGEST_REQUEST
from scintiflow.sender.deliver import TRANSFER_SYNTAX, application_entity


def configuration(installation: Installation) -> str:
    """Return section 6."""
    return f"""\
## 6 Configuration

### 6.1 General

AE titles, time-outs and limits are in the environment, peers in `scintiflow.toml`. Both are read at start.

Receiver:

{settings_table(installation.receiver)}

Sender:

{settings_table(installation.sender)}

### 6.2 DIMSE services

#### 6.2.5 Storage

Who may send is in `[[allow]]` tables: `ae_title`, and `host` to bind the title to an address. Who gets results is in
`[[destinations]]` tables: `name`, `ae_title`, `host`, `port`, and `synthetic` (`no`, `too`, or `only` for results of
synthetic studies); `[[routes]]` narrow one destination to some models and kinds of result. Here:

{rules_table(installation)}

### 6.3 to 6.6 Web, media, real-time video, audit trail

None."""


def communication(installation: Installation, created: Mapping[str, str]) -> str:
    """Return section 7; `created` gives the SOP class of each kind of result."""
    return "\n\n".join((_general(), _receiver(installation), _sender(installation, created), _statuses()))


def security(installation: Installation) -> str:
    """Return section 8."""
    return f"""\
## 8 Security

8.1 Introduction: scintiflow is meant for a network that is trusted. 8.2 External network requirements: none.

### 8.3 TCP ports

The receiver listens on {installation.port}; the sender connects to the ports of its destinations.

### 8.4 Security profiles

None. Secure transport (TLS) is not there yet.

### 8.5 User identity negotiation

Not supported: an identity that is offered is not looked at and not answered.

### 8.6 Web services

None.

### 8.7 Other security features

Only AE titles of the allow-list get an association, from their address where one is given; who is rejected is logged
with the lines that would let it in. Connections that do not ask for an association in time, stop in the middle of a
message or claim impossible lengths are closed. Nothing that an object says becomes a path. Pixel data are decoded in a
process with limits of memory, time and size. Logs and metrics hold no names, identifiers or UIDs of patients."""


def _general() -> str:
    rows = (
        ("Application context name", f"`{APPLICATION_CONTEXT_NAME}`"),
        ("Implementation class UID", f"`{IMPLEMENTATION_UID}`"),
        ("Implementation version name", f"`{IMPLEMENTATION_VERSION}`"),
        ("Asynchronous operations", "not negotiated: one at a time"),
        ("SOP class extended negotiation", "none"),
        ("SCP/SCU role selection", "none: the requestor is SCU"),
    )
    return f"""\
## 7 Network and media communication details

### 7.1 General

#### 7.1.1 Association parameters

{table(("Parameter", "Value"), rows)}"""


def _receiver(installation: Installation) -> str:
    settings = installation.receiver
    rows = (
        ("AE title", f"`{settings.ae_title}`"),
        ("Port", installation.port),
        ("Maximum PDU size received", MAXIMUM_PDU),
        ("Longest association request, in bytes", LONGEST_REQUEST),
        ("Associations accepted at once", f"{installation.associations} ({settings.listeners} listeners)"),
        ("The same from one address, in one listener", settings.maximum_associations_per_address),
        ("Time-out of the association request", f"{settings.request_seconds:g} s"),
        ("Time-out between messages", f"{settings.network_timeout:g} s"),
        ("Time-out in the middle of a message", f"{settings.stall_seconds:g} s"),
        ("Slowest sender", f"{settings.minimum_bytes_per_second} bytes/s"),
    )
    return f"""\
### 7.2 Specifications

#### 7.2.1 Receiver

##### 7.2.1.1 Sequencing

None is needed: objects of a study may come in any order, over any number of associations.

##### 7.2.1.2 Association parameters

{table(("Parameter", "Value"), rows)}

##### 7.2.1.3 Association initiation

Never.

##### 7.2.1.4 Association acceptance

Each of these SOP classes is accepted in each of these transfer syntaxes, as SCP; of those offered in one presentation
context the first in this order is taken. Nothing else is accepted: no private storage class, no retired one that is not
listed, and no deflated transfer syntax.

Transfer syntaxes:

{uids(TRANSFER_SYNTAXES)}

SOP classes:

{uids((Verification, *storage_classes()))}

Associations are rejected as in 7.3.1."""


def _sender(installation: Installation, created: Mapping[str, str]) -> str:
    settings = installation.sender
    entity = application_entity(settings.ae_title, settings.timeout_seconds)
    rows = (
        ("AE title", f"`{settings.ae_title}`"),
        ("Maximum PDU size received", entity.maximum_pdu_size),
        ("Associations initiated at once", "one a destination and sender process"),
        ("Time-out to connect, of the association, of release", f"{settings.timeout_seconds:g} s"),
        (
            "Time-out of a C-STORE",
            f"{settings.timeout_seconds:g} s, and 1 s for each {settings.slowest_bytes_per_second:g} bytes",
        ),
    )
    return f"""\
#### 7.2.2 Sender

##### 7.2.2.1 Sequencing

Results of one study follow each other over one association; then it is released.

##### 7.2.2.2 Association parameters

{table(("Parameter", "Value"), rows)}

##### 7.2.2.3 Association initiation

Offered are the SOP classes of the results that are due, each in one transfer syntax, as SCU.

Results' transfer syntax:

{uids((TRANSFER_SYNTAX,))}

Results' SOP classes:

{uids(created.values())}

##### 7.2.2.4 Association acceptance

Never."""


def _statuses() -> str:
    return f"""\
### 7.3 Status codes

#### 7.3.1 Rejected associations

{rejections()}

An association request that is malformed is answered with A-ABORT (source 2, reason 6). A peer that breaks the protocol,
is too slow, or stores on a presentation context that was not accepted is aborted.

#### 7.3.2 DIMSE services

The receiver answers C-ECHO with 0000, and C-STORE so; what is refused has an error comment (0000,0902):

{returned_statuses()}

The sender takes a destination's answer to C-STORE so:

{understood_statuses()}

A transient rejection is as a destination that is away; a permanent one, and a result whose presentation context is not
accepted, are as a failure.

#### 7.3.3 Web services

None."""
