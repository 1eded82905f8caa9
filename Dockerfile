# Two stages: the first installs the locked wheel into /opt/venv, the second holds Python and that folder alone.
#
# It starts in verified mode only: the settings name the EHRs that may call (docs/settings.md). Run it read-only and
# without privileges, with the settings and keys mounted, and a volume of user 10001 for the store:
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8000:8000 \
#     -v ./cds:/etc/cds:ro -e CDS_CONFIG=/etc/cds/service.toml \
#     -v cds-store:/var/lib/cds -e CDS_STORE=sqlite:////var/lib/cds/store.db -e CDS_TIME_ZONE=Asia/Shanghai cds-service
# The zone is the hospital's: without it today is that of UTC, and what a morning in China brought is of tomorrow.
#
# The base is pinned by tag: an image digest differs for each registry mirror. Before a release put the digest that your
# registry reports behind the tag (python:3.11-slim-bookworm@sha256:...), in both stages.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY cds_service ./cds_service
COPY rules ./rules
RUN /opt/venv/bin/pip install --constraint requirements.lock '.[postgresql]'

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="cds-service" \
      org.opencontainers.image.description="CDS Hooks service: clinical trial eligibility from a FHIR chart" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=4s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
# A worker that has to be replaced starts with the rules that its master holds, whatever lies in the folder by then
# (--preload). A buffering proxy belongs in front (deploy/nginx.conf): stalled clients hold gthread workers. The control
# socket and the workers' heartbeat files would need a writable home folder; /dev/shm is writable in a read-only
# container too.
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "32", "--preload", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--graceful-timeout", "10", "cds_service.wsgi:app"]
