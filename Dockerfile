# One image a process: `docker build --target router --tag scintiflow/router:0.1.0 .`; `make images` makes them all.
# Those that run models come twice, for CPUs and with -gpu.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS source
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY services services
COPY models models
RUN python3 -m venv /opt/scintiflow && mkdir /served \
 && for manifest in models/*/manifest.toml; do cp -r "${manifest%/*}" /served/; done

FROM source AS line
RUN /opt/scintiflow/bin/pip install --no-cache-dir --constraint constraints.txt '.[tracing]' \
 && /opt/scintiflow/bin/pip uninstall --yes pip setuptools

FROM source AS engines-cpu
RUN /opt/scintiflow/bin/pip install --no-cache-dir --constraint constraints.txt '.[cpu,tracing]' \
 && /opt/scintiflow/bin/pip uninstall --yes pip setuptools

# TensorRT comes from NVIDIA's own index; CUDA and cuDNN as wheels, so the base needs only the driver of its host.
FROM source AS engines-gpu
RUN /opt/scintiflow/bin/pip install --no-cache-dir --constraint constraints.txt \
      --extra-index-url https://pypi.nvidia.com '.[gpu,tracing]' \
 && /opt/scintiflow/bin/pip uninstall --yes pip setuptools

FROM ${PYTHON} AS runtime
ENV PATH=/opt/scintiflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    SCINTIFLOW_DATA=/data \
    SCINTIFLOW_CONFIG=/etc/scintiflow/scintiflow.toml \
    SCINTIFLOW_MODELS=/opt/models
USER 65532:65532
WORKDIR /tmp

FROM runtime AS receiver
COPY --from=line /opt/scintiflow /opt/scintiflow
EXPOSE 11112 9101
HEALTHCHECK CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9101/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.receiver"]

FROM runtime AS keeper
COPY --from=line /opt/scintiflow /opt/scintiflow
EXPOSE 9104
HEALTHCHECK CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9104/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.keeper"]

FROM runtime AS router
COPY --from=line /opt/scintiflow /opt/scintiflow
EXPOSE 9102
HEALTHCHECK CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9102/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.router"]

FROM runtime AS sender
COPY --from=line /opt/scintiflow /opt/scintiflow
EXPOSE 9103
HEALTHCHECK CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9103/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.sender"]

FROM runtime AS probe
COPY --from=line /opt/scintiflow /opt/scintiflow
EXPOSE 11113 9105
HEALTHCHECK CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9105/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.probe"]

FROM runtime AS serving
COPY --from=source /served /opt/models

FROM serving AS classifying
ENV SCINTIFLOW_CLASSIFIER_HOST=0.0.0.0
EXPOSE 3000
HEALTHCHECK --start-period=120s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:3000/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.classifier"]

FROM classifying AS classifier
COPY --from=engines-cpu /opt/scintiflow /opt/scintiflow

FROM classifying AS classifier-gpu
COPY --from=engines-gpu /opt/scintiflow /opt/scintiflow

FROM serving AS synthesizing
ENV SCINTIFLOW_SYNTHESIZER_HOST=0.0.0.0
EXPOSE 3001
HEALTHCHECK --start-period=120s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:3001/livez', timeout=3)"]
CMD ["python", "-m", "scintiflow.synthesizer"]

FROM synthesizing AS synthesizer
COPY --from=engines-cpu /opt/scintiflow /opt/scintiflow

FROM synthesizing AS synthesizer-gpu
COPY --from=engines-gpu /opt/scintiflow /opt/scintiflow
