"""Photos of a chunk become a net's input: right here, or in a child with limits where one may cost much."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from training.bundle import Manifest
from training.decoding import Pixels
from training.preprocessing import PREPROCESSINGS, CostlyPhotoError, ImageError
from worker.careful import prepare_in_child
from worker.stages import StageClock


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one image may cost."""

    max_pixels: int
    max_file_bytes: int
    cpu_s: int
    memory_bytes: int


def prepare_photos(
    photos: Sequence[bytes], manifest: Manifest, limits: Limits, *, careful: bool, clock: StageClock
) -> Generator[Pixels | ImageError, None, None]:
    """Each photo as the net's input, uint8 (height, width, channels), or what is wrong with it.

    Args:
        careful: all of them in a child; else from the first one on that may take long or much memory.
    """
    spec = manifest.input
    preprocessing = PREPROCESSINGS[manifest.preprocessing]

    def prepare(data: bytes, *, only_light: bool = False) -> Pixels:
        with clock.stage("decode"):
            photo = preprocessing.decode(data, spec, max_pixels=limits.max_pixels, only_light=only_light)
        with clock.stage("prepare"):
            return preprocessing.apply(photo, spec)

    def prepare_apart(photos: Sequence[bytes]) -> Iterator[Pixels | ImageError]:
        shape = (spec.height, spec.width, spec.channels)
        answers = prepare_in_child(photos, prepare, shape=shape, cpu_s=limits.cpu_s, memory_bytes=limits.memory_bytes)
        while True:
            with clock.stage("decode"):  # all that happens in the child
                answer = next(answers, None)
            if answer is None:
                return
            yield answer

    if careful:
        yield from prepare_apart(photos)
        return
    for place, data in enumerate(photos):
        try:
            yield prepare(data, only_light=True)
        except CostlyPhotoError:
            yield from prepare_apart(photos[place:])  # with all that follow: a child takes 5 ms and more to start
            return
        except ImageError as error:
            yield error
