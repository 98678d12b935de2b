# The server and the command line, with everything optional in it (PostgreSQL, Redis, S3). `scripts/image` builds it, with
# docker, podman or buildah; `docker build .` does too. What to run it with: docs/deployment.md.
#
# BUILDER and BASE: a Debian and a slim one with the same Python, 3.11 or newer. Pin them by digest in production. What they lack
# is installed from Debian's packages.
ARG BUILDER=docker.io/library/debian:bookworm
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BUILDER} AS build
RUN { command -v strip && python3 -c 'import ensurepip'; } >/dev/null 2>&1 || { \
      apt-get update -qq && apt-get install -qq --no-install-recommends binutils python3 python3-venv >/dev/null; }
# Where pip finds packages when that is not the index that it is set to: scripts/image --offline mounts wheels at /wheels.
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY pyproject.toml requirements.lock ./
COPY scripts/locked.py scripts/
# Versions and hashes are those of requirements.lock. The environment itself gets no pip.
RUN python3 scripts/locked.py --extra all > runtime.lock \
 && python3 scripts/locked.py --package hatchling > build.lock \
 && python3 -m venv /build/tools \
 && python3 -m venv --without-pip /opt/registry \
 && tools/bin/pip install --quiet --require-hashes --only-binary=:all: -r build.lock \
 && tools/bin/pip --python /opt/registry/bin/python install --quiet --require-hashes --no-compile --only-binary=:all: -r runtime.lock
COPY README.md LICENSE ./
COPY engines engines
COPY server server
COPY clients/python clients/python
RUN tools/bin/hatchling build -t wheel -d dist \
 && tools/bin/pip --python /opt/registry/bin/python install --quiet --no-compile --no-index --no-deps dist/*.whl
# Without what is never loaded, with bytecode of what is: the root file system may be read-only later.
COPY scripts/slim-packages scripts/
RUN scripts/slim-packages /opt/registry

FROM ${BASE} AS root
RUN command -v python3 >/dev/null || { \
      apt-get update -qq && apt-get install -qq --no-install-recommends ca-certificates python3 >/dev/null; }
RUN groupadd --gid 1000 registry \
 && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /data --shell /usr/sbin/nologin registry \
 && install -d -o 1000 -g 1000 -m 0750 /data
COPY scripts/slim-root /tmp/
RUN /tmp/slim-root
COPY --from=build /opt/registry /opt/registry
COPY deploy/image/settings.toml /etc/schema-registry/settings.toml

# One layer, without what was removed.
FROM scratch
COPY --from=root / /
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE
LABEL org.opencontainers.image.title="llm-schema-registry" \
      org.opencontainers.image.description="A schema registry for what LLM services exchange: gRPC first, JSON Schema, Avro and Protobuf" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
ENV LANG=C.UTF-8 \
    PATH=/opt/registry/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCHEMA_REGISTRY_CONFIG=/etc/schema-registry/settings.toml
USER 1000:1000
WORKDIR /data
# Nothing else is written to but /tmp: the root file system may be read-only.
VOLUME ["/data"]
EXPOSE 9090 8080 9091
# Drains: calls in flight finish, streams end with where to resume (drain_seconds; give it a little longer before SIGKILL).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["schema-registry-server", "health"]
ENTRYPOINT ["schema-registry-server"]
CMD ["serve"]
