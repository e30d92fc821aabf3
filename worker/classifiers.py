"""The classifiers of a worker process, loaded from the catalog."""

from sqlalchemy import Engine

from catalog.database import reading
from training.bundle import Bundle
from training.classifier import Classifier
from worker.models import load_bundle


class Models:
    """The classifiers of a worker process, loaded from the catalog on first use; the two used last are kept."""

    def __init__(self) -> None:
        self._loaded: dict[int, tuple[Bundle, Classifier]] = {}

    def load(self, engine: Engine, model_version_id: int) -> tuple[Bundle, Classifier]:
        """Bundle and classifier of a model version."""
        if model_version_id not in self._loaded:
            with reading(engine) as session:
                bundle = load_bundle(session, model_version_id)
            while len(self._loaded) > 1:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[model_version_id] = (bundle, Classifier(bundle))
        return self._loaded[model_version_id]
