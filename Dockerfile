# The one image of every hangtag service: worker, beat, migration, commands by hand.
# Its packages are the pinned ones; where they come from is pip's own configuration.

FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/hangtag
# The pins first: a change of code alone leaves this layer as it is.
COPY requirements/runtime.txt requirements/
RUN /opt/hangtag/bin/python -m pip install --requirement requirements/runtime.txt
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY catalog/ catalog/
COPY migrations/ migrations/
COPY training/ training/
COPY worker/ worker/
RUN /opt/hangtag/bin/python -m pip install --no-deps .

FROM python:3.12-slim
# A number of its own, so that folders of photos can be opened to it, and a home that is writable by it alone.
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/hangtag --shell /usr/sbin/nologin hangtag \
    && install --directory --mode 700 --owner hangtag --group hangtag /var/lib/hangtag
COPY --from=build /opt/hangtag /opt/hangtag
ENV PATH=/opt/hangtag/bin:$PATH \
    HANGTAG_HOME=/var/lib/hangtag
USER 10001
WORKDIR /var/lib/hangtag
ENTRYPOINT ["hangtag"]
CMD ["--help"]
