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
WORKDIR /opt/attention-homeworks
COPY . .
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt '.[dask,otter]'
WORKDIR /work
ENTRYPOINT ["autograder"]
CMD ["--help"]
