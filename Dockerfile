# What run_experiments.sh installs, in an image: for machines without a suitable Python, x86-64 or arm64.
#
#   docker build -t katrec .                           Python 3.11, the stack of all results
#   docker build -t katrec --build-arg PYTHON=3.13 .   the newest TensorFlow
#   docker build -t katrec --build-arg CUDA=1 .        with NVIDIA's libraries; docker run needs --gpus=all then
#
#   docker run --rm -v "$PWD/runs:/katrec/runs" katrec                            run_experiments.sh, its results in runs/
#   docker run --rm -v "$PWD/runs:/katrec/runs" --entrypoint katrec-train katrec --help
ARG PYTHON=3.11
FROM python:${PYTHON}-slim
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /katrec
COPY . .
RUN source ./environment.sh && prepare_environment ""
ARG CUDA=
# The same release, with the libraries that graphics cards need.
RUN if [ -n "$CUDA" ]; then \
      .venv/bin/pip install "tensorflow[and-cuda]==$(.venv/bin/pip show tensorflow | sed -n 's/^Version: //p')"; \
    fi
ENV PATH="/katrec/.venv/bin:$PATH"
ENTRYPOINT ["./run_experiments.sh"]
