# The autograder in a container, from the pins of constraints.txt (docs/packages.md says how to build and use it).
FROM python:3.11-slim AS system
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*

# For work on the project itself; .devcontainer/ uses it.
FROM system AS dev
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium git make \
    && rm -rf /var/lib/apt/lists/*

FROM system
ARG TORCH_INDEX=""
# Any user may run the image (docker run --user): a home that all can write to, and data that all can read.
ENV HOME=/tmp TRANSFORMER_HOMEWORK_CACHE=/opt/homework-data
WORKDIR /opt/attention-homeworks
COPY . .
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt '.[dask,otter]'
# The sentences of homework 5, since containers may have no network. They are other people's prose: do not publish the image.
RUN python -m autograder.author.fetch
WORKDIR /work
ENTRYPOINT ["autograder"]
CMD ["--help"]
