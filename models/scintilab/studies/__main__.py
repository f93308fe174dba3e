"""Studies a generator: `python -m scintilab.studies quality`, `privacy` and `augmentation`."""

from pathlib import Path
from typing import Annotated, cast

import numpy as np
import torch
import typer

from scintiflow.errors import Refused
from scintiflow.inference.manifest import load
from scintilab.archive import Question
from scintilab.evaluate.answers import open_reader
from scintilab.evaluate.bootstrap import RESAMPLES
from scintilab.evaluate.report import WARNING
from scintilab.evaluate.scans import Scores, Truth
from scintilab.parts import JUDGES
from scintilab.phantom.cohort import Cohort
from scintilab.phantom.priors import digest
from scintilab.studies import augmentation as augmentations
from scintilab.studies import pictures, privacy, quality, tables, twins
from scintilab.studies.augmentation import MULTIPLE, SEEDS
from scintilab.studies.coarse import coarse
from scintilab.studies.compact import Network, version
from scintilab.studies.made import made
from scintilab.studies.noise_free import noise_free
from scintilab.studies.observer import STEPS, observer, random
from scintilab.studies.origin import origin
from scintilab.studies.people import people, require_disjoint
from scintilab.studies.publication import Study, publish, require_place
from scintilab.studies.samples import Samples, first_scans, of_cohort
from scintilab.studies.shipped import shipped
from scintilab.studies.two_sample import STEPS as LOOKS
from scintilab.training import command

Served = Annotated[Path, typer.Option("--generator", help="Served folder; numbers and tables are written there.")]
Work = Annotated[Path, typer.Option(help="Folder of patients, synthetic scans, and whatever is finished.")]
Out = Annotated[Path, typer.Option(help="Folder for pages.")]
Share = Annotated[float, typer.Option(min=0.001, max=1, help="Of the simulated patients.")]
Count = Annotated[int, typer.Option(min=20, help="Scans of each kind that are compared.")]
Seed = Annotated[int, typer.Option(help="Of synthetic scans and every draw.")]
Threads = Annotated[int, typer.Option(min=1, help="Processor cores.")]
Resamples = Annotated[int, typer.Option(min=2, help="Of patients, for the intervals.")]

GENERATOR, WORK, OUT = Path("models/generator"), Path("build/models"), Path("build/studies")
MODELS, SIZES = [Path("models/metastasis"), Path("models/cardiac")], list(augmentations.SIZES)

app = command.application(
    """Is a generator of scans good, private and useful? All figures are of simulated patients.

    **quality** compares synthetic scans with real ones, and what they show with what they were asked to show.
    **privacy** looks for copies of scans that the generator has learnt from.
    **augmentation** trains classifiers on few real scans with and without synthetic ones, hundreds of times.

    Numbers (JSON) and tables (CARD.md, between its marks) are written into the generator's folder, pages with pictures
    into `build/studies`. Patients, synthetic scans and trainings are kept: a run that was cut off goes on, and a second
    one is quick. Begin with `--share 0.1 --count 50`, whose numbers mean little, to see everything once.
    """
)


@app.command("quality")
def study_quality(
    generator: Served = GENERATOR,
    work: Work = WORK,
    out: Out = OUT,
    model: Annotated[
        list[Path], typer.Option(metavar="FOLDER", help="A served classifier, named as its question; repeatable.")
    ] = MODELS,
    share: Share = 1.0,
    count: Count = 1000,
    steps: Annotated[int, typer.Option(min=1, help="Of the networks that measure.")] = STEPS,
    looks: Annotated[int, typer.Option(min=1, help="Of the network that looks for differences.")] = LOOKS,
    seed: Seed = 1,
    threads: Threads = 2,
    resamples: Resamples = quality.RESAMPLES,
) -> None:
    """Do synthetic scans look like real ones, and show what they were asked for? Half an hour and the scans' making."""
    with command.sentences():
        require_place(generator, "quality")
        made_by, kept = shipped(generator), work / "studies"
        torch.set_num_threads(threads)
        readers = {cast(Question, folder.name): open_reader(load(folder), work / "answers") for folder in model}
        crowds = {role: people(role, work / "patients", share) for role in ("learners", "A")}
        learners, judged = map(_firsts, crowds.values())
        if len(learners) < 2 * count:
            raise Refused(f"Twice {count} learners are needed, and there are {len(learners)}: lower --count.")
        reference, real = learners.part(slice(0, count)), learners.part(slice(count, 2 * count))
        synthetic = made(made_by, seed, real.labels, kept / "synthetic", "Synthetic scans")
        healthy = made(made_by, seed, real.labels.healthy(), kept / "synthetic", "Their healthy twins")
        groups = quality.Groups(
            reference=reference,
            real=real,
            synthetic=synthetic,
            twins=healthy,
            judged=judged,
            pairs={
                "synthetic": twins.of_generator(synthetic, healthy),
                "phantom": twins.of_phantom(crowds["A"], first_scans(crowds["A"]), kept / "noise-free"),
            },
        )
        stranger = _observer("strangers", work, share, steps)
        regressor = _observer("learners", work, share, steps)
        found = quality.quality(
            groups,
            quality.spaces(stranger, random()),
            regressor,
            readers,
            origin(made_by, seed),
            steps=looks,
            resamples=resamples,
        )
        publish("quality", found, tables.of_quality(found), pictures.of_quality(found, groups), generator, out)
        _say(generator, "quality", out)


@app.command("privacy")
def study_privacy(
    generator: Served = GENERATOR,
    work: Work = WORK,
    out: Out = OUT,
    own: Annotated[
        Path | None,
        typer.Option(
            metavar="NPZ",
            help="What the generator itself says of scans, such as minus its loss: arrays `members` of those learnt "
            "from and `others`, higher meaning surer to be learnt from.",
        ),
    ] = None,
    share: Share = 1.0,
    count: Count = 1000,
    steps: Annotated[int, typer.Option(min=1, help="Of the network in whose features copies are looked for.")] = STEPS,
    seed: Seed = 1,
    threads: Threads = 2,
    resamples: Resamples = privacy.RESAMPLES,
) -> None:
    """Are synthetic scans copies of those learnt from? Twenty minutes and the scans' making."""
    with command.sentences():
        require_place(generator, "privacy")
        made_by, kept = shipped(generator), work / "studies"
        torch.set_num_threads(threads)
        roles = {role: people(role, work / "patients", share) for role in ("train", "validate", "A", "learners")}
        require_disjoint(roles)
        rows = {role: first_scans(cohort) for role, cohort in roles.items()}
        rows["learners"] = rows["learners"][:count]
        expected = {role: noise_free(cohort, rows[role], kept / "noise-free") for role, cohort in roles.items()}
        wanted = of_cohort(roles["learners"]).labels.part(rows["learners"])
        groups = privacy.Groups(
            training=expected["train"],
            held_out=np.concatenate([expected["validate"], expected["A"]]),
            fresh=expected["learners"],
            synthetic=coarse(made(made_by, seed, wanted, kept / "synthetic", "Synthetic scans").expected()),
        )
        found = privacy.privacy(
            groups,
            privacy.spaces(_observer("strangers", work, share, steps)),
            origin(made_by, seed),
            own=None if own is None else _own(own),
            resamples=resamples,
        )
        publish("privacy", found, tables.of_privacy(found), pictures.of_privacy(found), generator, out)
        _say(generator, "privacy", out)


@app.command("augmentation")
def study_augmentation(
    generator: Served = GENERATOR,
    work: Work = WORK,
    out: Out = OUT,
    share: Share = 1.0,
    size: Annotated[list[int], typer.Option(min=6, help="Real scans of a small set; repeatable.")] = SIZES,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each arm, each with another small set.")] = SEEDS,
    multiple: Annotated[int, typer.Option(min=1, help="Scans that are added to each real one.")] = MULTIPLE,
    steps: Annotated[int, typer.Option(min=6, help="Of every training, 16 scans each.")] = augmentations.STEPS,
    seed: Seed = 1,
    workers: Annotated[int, typer.Option(min=1, help="Trainings at a time, one core each.")] = 2,
    resamples: Resamples = RESAMPLES,
) -> None:
    """Do classifiers learn from synthetic scans what they would from more patients? An hour, in pieces of seconds.

    Small sets of real scans are learnt from alone, moved and shortened at random, with synthetic scans, with synthetic
    scans whose labels are shuffled, and with as many more real ones, for bone metastases and for cardiac uptake.
    Judged at the generator's site and at four external ones; beside it stands what Haberl et al. 2025 report.
    """
    with command.sentences():
        require_place(generator, "augmentation")
        made_by, patients = shipped(generator), work / "patients"
        groups = augmentations.Groups(
            generator=people("train", patients, share),
            learners=people("learners", patients, share),
            validate=people("validate", patients, share),
            judges={site: people(site, patients, share) for site in JUDGES},
        )
        found = augmentations.augmentation(
            made_by,
            groups,
            origin(made_by, seed),
            work / "studies",
            plan=augmentations.Plan(tuple(size), seeds, multiple, steps),
            workers=workers,
            resamples=resamples,
        )
        publish("augmentation", found, tables.of_augmentation(found), pictures.of_augmentation(found), generator, out)
        _say(generator, "augmentation", out)


def _firsts(cohort: Cohort) -> Samples:
    return of_cohort(cohort).part(first_scans(cohort))


def _observer(role: str, work: Path, share: float, steps: int) -> Network:
    cohort = people(role, work / "patients", share)
    return observer(
        cohort, work / "studies" / f"{role}-{digest()[:12]}-{version()}-{len(cohort)}-{steps}.pt", steps=steps
    )


def _own(file: Path) -> tuple[Truth, Scores]:
    """Read what a generator says of scans.

    Raises:
        Refused: the file holds no such arrays.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            members, others = arrays["members"], arrays["others"]
    except (OSError, ValueError, KeyError) as error:
        raise Refused(f"{file} holds no arrays `members` and `others`: write them with numpy.savez.") from error
    return np.arange(len(members) + len(others)) < len(members), np.concatenate([members, others])


def _say(folder: Path, study: Study, out: Path) -> None:
    typer.echo(f"{WARNING} Numbers: {folder / study}.json; tables: {folder / 'CARD.md'}; page: {out / study}.html.")


if __name__ == "__main__":
    app()
