# syntax=docker/dockerfile:1
# Two images from one build; `make images` makes both:
#   docker build --target gateway -t leadglass:0.1.0 .
#   docker build --target agent   -t leadglass-agent:0.1.0 .
# Both run as uid 65532 on a read-only root; only /var/lib/leadglass (leadglass-agent) and /tmp are written, no shell is needed.
# Pin the base by digest where you build for production, or take it from a registry of yours: --build-arg BASE=...@sha256:...
# Any image will do that has Python 3.11 or newer with venv.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS source
# The time that everything bears; compiled Python then goes by content, not by the times of files.
ARG SOURCE_DATE_EPOCH=315532800
# An index of yours, and (as the secret `ca`, with PIP_CERT=/run/ca.pem) the authority of a network that opens TLS; the hashes hold either way.
ARG PIP_INDEX_URL
ARG PIP_CERT
WORKDIR /src
# Wheels alone, each named by its hash: nothing is compiled from a source package, so no compiler is needed and no setup.py runs.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all: \
    PIP_INDEX_URL=$PIP_INDEX_URL PIP_CERT=$PIP_CERT SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH
COPY requirements requirements
RUN --mount=type=secret,id=ca,target=/run/ca.pem \
    python3 -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY policies policies
COPY proxy proxy
COPY agent agent
COPY release release
RUN /opt/build/bin/python -m hatchling build -t wheel -d /wheels

FROM source AS build-gateway
RUN --mount=type=secret,id=ca,target=/run/ca.pem \
    python3 -m venv /opt/leadglass \
    && /opt/leadglass/bin/pip install --require-hashes -r requirements/gateway.lock \
    && /opt/leadglass/bin/pip install --no-deps --no-index --find-links /wheels leadglass \
    && /opt/leadglass/bin/pip uninstall --yes pip
RUN PYTHONPATH=agent /opt/build/bin/python -m release.sbom gateway /opt/leadglass/lib/python3*/site-packages /opt/leadglass/share/sbom.cdx.json

FROM source AS build-agent
RUN --mount=type=secret,id=ca,target=/run/ca.pem \
    python3 -m venv /opt/leadglass \
    && /opt/leadglass/bin/pip install --require-hashes -r requirements/agent.lock \
    && /opt/leadglass/bin/pip install --no-deps --no-index --find-links /wheels leadglass \
    && /opt/leadglass/bin/pip uninstall --yes pip
RUN PYTHONPATH=agent /opt/build/bin/python -m release.sbom agent /opt/leadglass/lib/python3*/site-packages /opt/leadglass/share/sbom.cdx.json

FROM ${BASE} AS run
ENV PATH=/opt/leadglass/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

FROM run AS agent
LABEL org.opencontainers.image.title="leadglass-agent" \
      org.opencontainers.image.description="Tells a Leadglass gateway how a machine is"
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/leadglass-agent
COPY --from=build-agent /opt/leadglass /opt/leadglass
USER 65532:65532
# It answers nobody, so there is nothing to probe; the gateway sees when its reports stop.
HEALTHCHECK NONE
ENTRYPOINT ["/opt/leadglass/bin/leadglass-agent"]
CMD ["run", "--state", "/var/lib/leadglass-agent"]

# Last, so that a build without --target makes the gateway.
FROM run AS gateway
LABEL org.opencontainers.image.title="leadglass" \
      org.opencontainers.image.description="Zero-trust access gateway in front of existing PACS and DICOMweb servers"
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/leadglass
COPY --from=build-gateway /opt/leadglass /opt/leadglass
WORKDIR /etc/leadglass
USER 65532:65532
EXPOSE 8443 9080
# The listener that `metrics:` opens by default. Live, not ready: a full disk is no reason to restart.
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s \
    CMD ["/opt/leadglass/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9080/health/live', timeout=2)"]
ENTRYPOINT ["/opt/leadglass/bin/leadglass"]
CMD ["serve", "-c", "/etc/leadglass/leadglass.yaml"]
