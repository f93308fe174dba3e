"""`python -m scintiflow.classifier`: serve the models until told to stop."""

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.config import Deployment
from scintiflow.serving.bento import serve


def main() -> None:
    """Run BentoML here."""
    host, port = ClassifierSettings().host, Deployment().port("classifier")
    serve("classifier", "scintiflow.classifier.service:Classifier", host=host, port=port)


if __name__ == "__main__":
    main()
