"""`python -m scintiflow.synthesizer`: make synthetic scans until told to stop."""

from scintiflow.config import Deployment
from scintiflow.serving.bento import serve
from scintiflow.synthesizer.settings import SynthesizerSettings


def main() -> None:
    """Run BentoML here."""
    host, port = SynthesizerSettings().host, Deployment().port("synthesizer")
    serve("synthesizer", "scintiflow.synthesizer.service:Synthesizer", host=host, port=port)


if __name__ == "__main__":
    main()
