"""Makes simulated patients: `python -m scintilab.phantom --help`."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

import scintilab.phantom
from scintilab.parts import PARTS, part
from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import scan
from scintilab.phantom.disease import Disease
from scintilab.phantom.patient import draw_patient
from scintilab.phantom.study import study, truth

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")

Site = Annotated[str, typer.Option(help="A to E: who comes there, which tracer and camera (see priors.toml).")]
Seed = Annotated[int, typer.Option(help="Which population; the same seed gives the same patients.")]


@app.callback(help=scintilab.phantom.__doc__)
def phantom() -> None:
    """Say what this is."""


@app.command()
def make(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/patients"),
    count: Annotated[int, typer.Option(min=1, help="How many patients.")] = 1,
    first: Annotated[int, typer.Option(min=0, help="Number of the first one.")] = 0,
    seed: Seed = 0,
    site: Site = "A",
    metastases: Annotated[bool | None, typer.Option(help="With or without; else as the site's patients come.")] = None,
    perugini: Annotated[int | None, typer.Option(min=0, max=3, help="Grade; else as the site's patients come.")] = None,
) -> None:
    """Make patients: for each a DICOM file with both views, a picture to look at, and the truth as JSON.

    `python -m scintilab.phantom make --metastases --perugini 3` makes one with both diseases in build/patients.
    """
    out.mkdir(parents=True, exist_ok=True)
    for number in track(range(first, first + count), "Making simulated patients"):
        patient = draw_patient(seed, site, number)
        wanted = Disease(
            patient.disease.metastatic if metastases is None else metastases,
            patient.disease.perugini if perugini is None else perugini,
        )
        patient = patient if wanted == patient.disease else draw_patient(seed, site, number, disease=wanted)
        how = draw_acquisition(seed, site, number)
        counts = scan(patient, how, noise_of(seed, site, number))
        name = out / f"patient-{site}-{seed}-{number:04d}"
        study(patient, how, counts, number=number).save_as(name.with_suffix(".dcm"), enforce_file_format=True)
        Image.fromarray(np.concatenate([film(view) for view in counts], axis=1)).save(name.with_suffix(".png"))
        name.with_suffix(".json").write_text(json.dumps(truth(patient, how), indent=2) + "\n")
    typer.echo(
        f"{count} simulated patient{'s' * (count > 1)} in {out}: DICOM, PNG and JSON. Send one with `scintiflow send`."
    )


@app.command()
def sheet(
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("build/sheet.png"),
    count: Annotated[int, typer.Option(min=1, help="How many patients.")] = 24,
    seed: Seed = 0,
    site: Annotated[str | None, typer.Option(help="One site; else all five take turns.")] = None,
    columns: Annotated[int, typer.Option(min=1, help="Patients in a row.")] = 6,
) -> None:
    """Paint a contact sheet: every patient as the site's patients come, anterior and posterior side by side."""
    films = []
    for number in track(range(count), "Scanning simulated patients"):
        where = site or "ABCDE"[number % 5]
        counts = scan(
            draw_patient(seed, where, number), draw_acquisition(seed, where, number), noise_of(seed, where, number)
        )
        films.append(np.concatenate([film(view) for view in counts], axis=1))
    films += [np.full_like(films[0], 255)] * (-count % columns)
    rows = [np.concatenate(films[start : start + columns], axis=1) for start in range(0, len(films), columns)]
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(out)
    typer.echo(f"{count} simulated patients are in {out}.")


@app.command()
def cohort(
    names: Annotated[list[str], typer.Argument(metavar="PART...", help=f"Of: {', '.join(PARTS)}.")],
    work: Annotated[Path, typer.Option(help="Folder to keep them in.")] = Path("build/models/patients"),
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the patients.")] = 1.0,
    device: Annotated[str, typer.Option(help="cpu (all cores) or a GPU such as cuda.")] = "cpu",
) -> None:
    """Simulate the parts of the cohorts that models are made and judged on; what is there already stays."""
    for name in names:
        if name not in PARTS:
            raise typer.BadParameter(f"There is no part {name}: take some of {', '.join(PARTS)}.")
        scans = part(name, work, share, device=device)
        typer.echo(
            f"{name}: {len(scans)} scans of simulated patients at site {scans.site}, "
            f"{scans.metastatic.sum()} with metastases, {scans.cardiac.sum()} of Perugini grade 2 or 3."
        )


def film(counts: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Paint one view as a film: black is hot, and one pixel in a hundred is blacker than black."""
    hot = np.percentile(counts[counts > 0], 99)
    return (255 - 255 * np.clip(counts / hot, 0, 1) ** 0.8).astype(np.uint8)


if __name__ == "__main__":
    app()
