"""`python -m scintiflow.cli.demo.pacs FOLDER`: a PACS of its own for the demo, which keeps what it gets as files."""

import hashlib
import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt

from scintiflow.lifetime import die_with_parent, until_stopped

_SUCCESS = 0x0000


def main() -> None:
    """Accept every C-STORE until stopped; the port that was free is the first line of the output."""
    die_with_parent()
    stopped = until_stopped()
    folder = Path(sys.argv[1])
    entity = AE("PACS")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, _keep, [folder])])
    print(server.server_address[1], flush=True)
    stopped.wait()
    server.shutdown()


def _keep(event: evt.Event, folder: Path) -> int:
    """Keep one object, named by its SOP Instance UID; half a file never has that name."""
    name = hashlib.sha256(event.request.AffectedSOPInstanceUID.encode()).hexdigest()[:16]
    part = folder / f"{name}.part"
    part.write_bytes(event.encoded_dataset())
    part.rename(folder / f"{name}.dcm")
    return _SUCCESS


if __name__ == "__main__":
    main()
