# The environment of every job, for `snakemake --software-deployment-method apptainer`, which takes it from lossgeometry.sif:
#   docker build --tag lossgeometry .
#   apptainer build lossgeometry.sif docker-daemon:lossgeometry:latest
# --build-arg ENVIRONMENT=gpu is the environment with vLLM; --build-arg TORCH_INDEX=<URL> takes the other from CPU builds of torch.
FROM python:3.11-slim-bookworm
ARG ENVIRONMENT=cpu
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1
COPY envs /opt/envs
RUN TORCH_INDEX="${TORCH_INDEX}" /opt/envs/install.sh python "/opt/envs/${ENVIRONMENT}.yaml" && python -m pip check
