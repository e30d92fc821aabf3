"""The README's rules once more, in plain Python: what a shop must show, worked out from what happened to it.

Written from "What a retag does" and "How a tag follows from predictions", to hold hangtag against it: it knows no
database, works every tag out anew after each event, and calls nothing of hangtag.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MOST_VANISHED = 0.2  # of a source; over it nothing is believed
LEAST = 1e-6  # six decimals of a probability are kept, and none of them is taken for impossible
DECIMALS = 6


@dataclass
class PlainModel:
    """What a model can say, and what it says of a content; None where the content cannot be looked at."""

    name: str
    labels: Mapping[str, str | None]  # in the order of its answers, each with its parent
    other: str
    thresholds: dict[str, float]  # of labels and parents
    answer: Callable[[bytes], list[float] | None]


@dataclass
class PlainPhoto:
    """A file that was found once. `content` is what was read of it last, None before."""

    sku: str
    content: bytes | None = None
    is_gone: bool = False


@dataclass(frozen=True)
class Said:
    """What a model says of a product: a tag or none, and why a person should look."""

    model: str
    tag: str | None
    confidence: float | None
    reason: str | None


@dataclass(frozen=True)
class PlainWord:
    """A person's word that stands."""

    action: str
    label: str
    by: str


@dataclass(frozen=True)
class Shown:
    """What the catalog shows of a product with a tag."""

    tag: str
    confidence: float
    source: str
    model: str | None
    are_photos_gone: bool


Files = Mapping[str, tuple[str, bytes]]  # what stands in a folder: by key the SKU and the content


@dataclass
class PlainShop:
    """A shop's photos, models and people, and the tags that follow."""

    current: PlainModel
    photos: dict[tuple[str, str], PlainPhoto] = field(default_factory=dict)  # by source and key
    seen: set[tuple[bytes, str]] = field(default_factory=set)  # contents and the model that looked at them
    said: dict[str, Said] = field(default_factory=dict)
    words: dict[str, list[PlainWord]] = field(default_factory=dict)
    models: dict[str, PlainModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.models[self.current.name] = self.current

    def retag(self, found: Mapping[str, Files], *, believe_gone: bool = False) -> None:
        """All that is due in these whole sources is done, by the current model; other sources are away."""
        for source, files in found.items():
            self._look_over(source, files, believe_gone=believe_gone)
        self.settle()
        for source, files in found.items():
            for key, (_, content) in files.items():
                self.photos[source, key].content = content
                self.seen.add((content, self.current.name))
        self.settle()

    def _look_over(self, source: str, files: Files, *, believe_gone: bool) -> None:
        known = {key: photo for (where, key), photo in self.photos.items() if where == source}
        present = [key for key, photo in known.items() if not photo.is_gone or key in files]
        vanished = [key for key in present if key not in files]
        for key, (sku, _) in files.items():
            self.photos.setdefault((source, key), PlainPhoto(sku)).is_gone = False
        if believe_gone or len(vanished) <= MOST_VANISHED * len(present):
            for key in vanished:
                known[key].is_gone = True

    def try_model(self, model: PlainModel, found: Mapping[str, Files]) -> None:
        """Let a model predict what was classified before, as it stands in these sources now; no tag follows."""
        self.models[model.name] = model
        for (source, key), photo in self.photos.items():
            was_classified = photo.content is not None and model.answer(photo.content) is not None
            if was_classified and not photo.is_gone and key in found[source]:
                _, content = found[source][key]  # another photo by now, perhaps: the next retag tells
                self.seen.add((content, model.name))

    def promote(self, model: PlainModel) -> None:
        """Make a model the current one."""
        self.models[model.name] = self.current = model
        self.settle()

    def hear(self, sku: str, word: PlainWord) -> None:
        """A person says something of a product."""
        self.words.setdefault(sku, []).append(word)
        if word.action == "rejected":
            self._judge_again(sku)

    def take_back(self, sku: str) -> None:
        """The last word on a product stands no more."""
        if self.words[sku].pop().action == "rejected":
            self._judge_again(sku)

    def _judge_again(self, sku: str) -> None:
        """What people rejected for a product has changed: one without photos is judged by those that it had."""
        self.settle()
        photos = [photo for photo in self.photos.values() if photo.sku == sku]
        contents = dict.fromkeys(photo.content for photo in photos)
        said = self.said.get(sku)
        if said is not None and all(photo.is_gone for photo in photos):
            model = self.models[said.model]
            answers = [answer for content in contents if (answer := self._answer(model, content))]
            self.said[sku] = judge_product(model, answers, self.rejected(sku))

    def settle(self) -> None:
        """Work every product's tag out anew."""
        products: dict[str, list[PlainPhoto]] = {}
        for photo in self.photos.values():
            products.setdefault(photo.sku, []).append(photo)
        for sku, photos in products.items():
            self._settle_product(sku, photos)

    def _settle_product(self, sku: str, photos: list[PlainPhoto]) -> None:
        present = dict.fromkeys(photo.content for photo in photos if not photo.is_gone)  # of two names one photo
        before = self.said.get(sku)
        judges = [self.current] + ([self.models[before.model]] if before else [])
        answers = {judge.name: [answer for content in present if (answer := self._answer(judge, content))]
                   for judge in judges}  # fmt: skip
        judge = max(judges, key=lambda judge: len(answers[judge.name]))  # the current one where two saw as many
        if answers[judge.name]:
            self.said[sku] = judge_product(judge, answers[judge.name], self.rejected(sku))
        elif any(content is not None for content in present):  # there are photos, and none can be looked at
            self.said.pop(sku, None)

    def _answer(self, model: PlainModel, content: bytes | None) -> list[float] | None:
        return model.answer(content) if content is not None and (content, model.name) in self.seen else None

    def rejected(self, sku: str) -> set[str]:
        """The labels that people forbade for a product."""
        return {word.label for word in self.words.get(sku, []) if word.action == "rejected"}

    def told(self, sku: str) -> PlainWord | None:
        """The word of a person that is a product's tag."""
        told = [word for word in self.words.get(sku, []) if word.action != "rejected"]
        return told[-1] if told else None

    def shown(self) -> dict[str, Shown]:
        """Every product with a tag."""
        found = {}
        for sku in sorted({photo.sku for photo in self.photos.values()}):
            gone = all(photo.is_gone for photo in self.photos.values() if photo.sku == sku)
            said, told = self.said.get(sku), self.told(sku)
            if told is not None:
                found[sku] = Shown(told.label, 1.0, "human", None, gone)
            elif said is not None and said.tag is not None and said.confidence is not None:
                found[sku] = Shown(said.tag, said.confidence, "model", said.model, gone)
        return found

    def waiting(self) -> dict[str, str]:
        """The products that wait for a person, and why."""
        return {sku: said.reason for sku, said in self.said.items() if said.reason and self.told(sku) is None}


def judge_product(model: PlainModel, answers: list[list[float]], rejected: set[str]) -> Said:
    """What a model says of a product whose photos it gave these answers on."""
    photos = [_spread(model, answer) for answer in answers]
    logs = {label: math.fsum(math.log(photo[label]) for photo in photos) / len(photos) for label in model.labels}
    together = _as_shares({label: math.exp(log) for label, log in logs.items()})
    possible = [label for label, parent in model.labels.items() if not {label, parent} & rejected]
    if not possible:
        return Said(model.name, None, None, "unsure")
    best = max(possible, key=lambda label: together[label])
    if best == model.other:  # but where a person forbade what the model was surest of
        surest = max(model.labels, key=lambda label: together[label])
        return Said(model.name, None, None, "other" if best == surest else "unsure")
    sure = {top for photo in photos if (top := max(possible, key=photo.__getitem__)) != model.other
            and photo[top] >= model.thresholds[top]}  # fmt: skip
    if together[best] >= model.thresholds[best] and len(sure) < 2:
        return Said(model.name, best, together[best], None)
    parent = model.labels[best]
    siblings = {label for label in possible if model.labels[label] == parent}
    clash = len(sure) > 1 or (parent is not None and not sure <= siblings)
    confidence = math.fsum(together[label] for label in siblings)
    if parent is not None and sure <= siblings and confidence >= model.thresholds[parent]:
        return Said(model.name, parent, min(confidence, 1.0), "contradiction" if clash else "label unsure")
    return Said(model.name, None, None, "contradiction" if clash else "unsure")


def _spread(model: PlainModel, answer: list[float]) -> dict[str, float]:
    kept = (max(round(value, DECIMALS), LEAST) for value in answer)
    return _as_shares(dict(zip(model.labels, kept, strict=True)))


def _as_shares(values: dict[str, float]) -> dict[str, float]:
    total = math.fsum(values.values())
    return {label: value / total for label, value in values.items()}
