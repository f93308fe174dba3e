"""`python -m tests.pods.empty_wheel FOLDER NAME VERSION`: a wheel of nothing, for one that is out of reach."""

import sys
from pathlib import Path
from zipfile import ZipFile


def main() -> None:
    """Write it."""
    folder, name, version = Path(sys.argv[1]), *sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{name}-{version}.dist-info"
    with ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "".join(f"{about}/{each},,\n" for each in ("METADATA", "WHEEL", "RECORD")))


if __name__ == "__main__":
    main()
