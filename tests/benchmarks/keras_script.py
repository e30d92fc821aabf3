"""What people would write first: a Keras script that tags a folder, whole photos at the net's size, and one insert.

    python -m tests.benchmarks.keras_script FOLDER DATABASE.db

The net is the shipped bundle's in floats, with its weights but for the last layer's, which change no time. Prints JSON:
seconds from the listing to the commit, seconds for imports and the net before them, CPU seconds.
"""

import json
import sqlite3
import sys
import time

STARTED_S = time.monotonic()

from tests.benchmarks.floor import cpu_seconds  # noqa: E402  (imports are measured)

PREDICT_IMAGES = 32


def main(folder: str, database: str) -> None:
    """Tag the folder."""
    import keras

    from tests.benchmarks.float_net import build_float_net

    net, spec = build_float_net()
    net.predict(keras.ops.zeros((PREDICT_IMAGES, spec.height, spec.width, spec.channels)), verbose=0)
    ready_s, ready_cpu_s = time.monotonic(), cpu_seconds()
    photos = keras.utils.image_dataset_from_directory(
        folder, labels=None, batch_size=PREDICT_IMAGES, image_size=(spec.height, spec.width), shuffle=False,
        color_mode="rgb", verbose=False,
    )  # fmt: skip
    answers = net.predict(photos, verbose=0)
    labels, scores = answers.argmax(axis=1), answers.max(axis=1)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE tags (photo TEXT PRIMARY KEY, label INTEGER, score REAL)")
        rows = zip(photos.file_paths, labels.tolist(), scores.tolist(), strict=True)
        connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", rows)
    connection.close()
    seconds = {
        "seconds": time.monotonic() - ready_s,
        "start_s": ready_s - STARTED_S,
        "cpu_s": cpu_seconds() - ready_cpu_s,
    }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
