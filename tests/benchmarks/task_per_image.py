"""What tutorials show: a Celery task for each image, which opens it, predicts it and commits its row.

The worker: `celery --app tests.benchmarks.task_per_image worker`, with the URLs below in its environment.
"""

import os
from functools import cache
from typing import Any

import numpy as np
from celery import Celery
from PIL import Image
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, create_engine, insert

BROKER_URL, DATABASE_URL = "BENCHMARK_BROKER_URL", "BENCHMARK_DATABASE_URL"

app = Celery("task_per_image", broker=os.environ.get(BROKER_URL))
app.conf.task_ignore_result = True
tags = Table(
    "tags", MetaData(), Column("photo", String, primary_key=True), Column("label", Integer), Column("score", Float)
)


@cache
def load() -> tuple[Any, Any, Any]:
    """Net, what it takes, and the database: once in each process, after its fork."""
    from tests.benchmarks.float_net import build_float_net

    engine = create_engine(os.environ[DATABASE_URL])
    return (*build_float_net(), engine)


@app.task(name="tag_image")  # type: ignore[untyped-decorator]  # Celery has no types
def tag_image(path: str) -> None:
    """Tag one photo."""
    net, spec, engine = load()
    photo = Image.open(path).convert("RGB").resize((spec.width, spec.height))
    answer = net.predict(np.asarray(photo, np.float32)[None], verbose=0)[0]
    with engine.begin() as connection:
        row = {"photo": path, "label": int(answer.argmax()), "score": float(answer.max())}
        connection.execute(insert(tags).values(row))
