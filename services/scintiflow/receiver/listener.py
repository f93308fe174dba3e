"""One listener process: serves the DICOM port it inherited until it is told to stop.

Started by the receiver as `python -m scintiflow.receiver.listener <descriptor of the listening socket> <its own pid>`.
"""

import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
import uuid

import structlog
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, _config, build_context
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification

from scintiflow.config import Deployment
from scintiflow.dicom.identity import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from scintiflow.lifetime import die_with_parent, until_stopped
from scintiflow.receiver import metrics
from scintiflow.receiver.association import Reception, Visit
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.headcount import Headcount
from scintiflow.receiver.lobby import Limits
from scintiflow.receiver.notifier import Notifier
from scintiflow.receiver.patience import Patience
from scintiflow.receiver.settings import Settings
from scintiflow.receiver.wire import Server
from scintiflow.store import Store
from scintiflow.stream import connect
from scintiflow.telemetry import configure_logging
from scintiflow.tracing import open_tracing

MAXIMUM_PDU = 128 * 1024
TRANSFER_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEG2000,
    HTJ2K,
)
"""What we keep as it comes, best first. Not deflated: its pixel data cannot be told from its header unopened."""

RETIRED = tuple(
    UID(f"1.2.840.10008.5.1.4.1.1.{number}") for number in ("3", "5", "6", "8", "9", "10", "11", "12.3", "129")
)
"""Storage classes of old archives: one that is refused may end a PACS's whole job of forwarding. PS3.6 Table A-1: US,
NM, overlays, curves, LUTs, angiography in two planes."""


def presentation_contexts() -> list[PresentationContext]:
    """Return all that we serve: every storage class, some retired, and C-ECHO; nothing in a syntax we do not keep."""
    syntaxes = list(TRANSFER_SYNTAXES)
    classes = [*(context.abstract_syntax for context in AllStoragePresentationContexts), *RETIRED]
    return [build_context(sop_class, syntaxes) for sop_class in (*classes, Verification)]


def application_entity(settings: Settings) -> ApplicationEntity:
    """Return who we are on the network, and how long we wait for others."""
    entity = ApplicationEntity(settings.ae_title)
    entity.maximum_pdu_size = MAXIMUM_PDU
    entity.maximum_associations = 1 << 16  # we count them ourselves
    entity.acse_timeout = settings.request_seconds
    entity.network_timeout = settings.network_timeout
    entity.implementation_class_uid = IMPLEMENTATION_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    return entity


def waiting_room(settings: Settings) -> Limits:
    """Return how much may wait for us; at most half of the descriptors that the kernel gives us."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    sockets = max(1, min(settings.waiting_sockets, descriptors // 2))
    return Limits(settings.request_seconds, sockets, settings.waiting_sockets_per_address)


def serve(listening: socket.socket, owner: str, reception: Reception, settings: Settings) -> Server:
    """Start to accept associations in a thread of their own."""
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    server = Server(
        application_entity(settings),
        listening,
        presentation_contexts(),
        lambda number: Visit(reception, f"{owner}/{number}"),
        waiting_room(settings),
        Headcount(settings.maximum_associations, settings.maximum_associations_per_address),
        lambda: Patience(int(settings.minimum_bytes_per_second * settings.stall_seconds), settings.stall_seconds),
        reception.sparing,
    )
    threading.Thread(target=_serve_or_stop, args=(server,), name="accept", daemon=True).start()
    return server


def _serve_or_stop(server: Server) -> None:
    try:
        server.serve_forever()
    except Exception:
        structlog.get_logger().exception("nothing is accepted any more; this listener makes way for another")
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve until SIGTERM, then finish the associations that are open."""
    stopped = until_stopped()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != int(sys.argv[2]):  # it died while we were loading
        return
    deployment, settings = Deployment(), Settings()
    configure_logging("receiver", deployment.log_format)
    store, owner = Store(deployment.data), f"listener-{uuid.uuid4().hex}"
    backlog = Backlog(connect(deployment.redis()), settings.maximum_backlog)
    notifier = Notifier(connect(deployment.redis()), owner, backlog)
    notifier.start()
    store.sweep_incoming()
    with store.incoming(owner) as incoming:
        allow = deployment.rules().allow
        tracing = open_tracing("receiver", deployment.otlp_endpoint, store)
        reception = Reception(store, notifier, allow, incoming, settings.minimum_free_bytes, backlog, tracing=tracing)
        server = serve(socket.socket(fileno=int(sys.argv[1])), owner, reception, settings)
        metrics.LISTENERS.inc()
        gc.freeze()  # what is loaded stays: no collection need look through it again
        stopped.wait()
        left = server.drain(settings.drain_seconds)
    if left:
        structlog.get_logger().warning("stopped while associations were open; their senders will retry", left=left)
    notifier.stop(seconds=2.0)


if __name__ == "__main__":
    main()
