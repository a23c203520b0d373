#!/usr/bin/env bash
# Shapes at 32×32 by every method, on one GPU in under 8 minutes:  reports/few_steps/gpu.sh OUT
# Leaves in OUT the tables, the pictures, images a second of every training, and the memory that the GPU had in use.
# With SIDE=16 STEPS=2 UPDATES=1 DMD2_UPDATES=1 BATCH=8 PRECISION=fp32 SAMPLES=8 it is tried in two minutes of a CPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$out"
if command -v nvidia-smi > /dev/null; then
  nvidia-smi --query-gpu=timestamp,memory.used,utilization.gpu --format=csv --loop=1 > gpu.csv &
  trap 'kill %1' EXIT
fi

common=(--batch-size "${BATCH:=128}" --precision "${PRECISION:=bf16}")
archlab train tiny --data shapes --out models/shapes --steps "${STEPS:=2000}" --learning-rate 1e-3 --wandb disabled \
  --set "scale={width: 0.5, sample_size: ${SIDE:=32}}" --set objective=v --set decay=cosine --set warmup_steps=50 \
  --set ema_decay=0.999 --set validate_every=1000 --set draw_every=1000 "${common[@]}"
OUT=$out SAMPLES=${SAMPLES:-256} DMD2_UPDATES=${DMD2_UPDATES:-100} "$here/make.sh" shapes models/shapes --updates "${UPDATES:=150}" "${common[@]}"
python "$here/speed.py" models/* | tee speed.csv
