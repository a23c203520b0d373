#!/usr/bin/env bash
# Students of few steps, their scores and pictures. Stopped, it goes on where it was with the same command:
#   reports/few_steps/make.sh digits models/knee [OPTION of archlab distill]…
# Tables and pictures go to $OUT, here unless told otherwise; $SAMPLES pictures of each are scored.
set -euo pipefail
data=$1 teacher=$2 here=$(cd "$(dirname "$0")" && pwd)
shift 2
out=${OUT:-$here} samples=${SAMPLES:-1000}

archlab distill "$teacher" --steps 8,4,2,1 --wandb disabled "$@"
archlab distill "$teacher-1" --steps 1 --method ufogen --teacher "$teacher" --out "$teacher-ufogen" --wandb disabled "$@"
for steps in 4 1; do
  archlab distill "$teacher-$steps" --steps $steps --method dmd2 --teacher "$teacher" --out "$teacher-dmd2-$steps" \
    --set dmd2.imitation='{output: 0.25, features: 0}' --wandb disabled "$@" \
    --updates "${DMD2_UPDATES:-250}" --batch-size 32
done

students=("$teacher"-{8,4,2,1} "$teacher-ufogen" "$teacher-dmd2-4" "$teacher-dmd2-1")
archlab score "$teacher" --steps 50,8,1 --samples "$samples" --out "$out/$data-teacher"
archlab score "${students[@]}" --samples "$samples" --out "$out/$data-students"
for who in teacher students; do cp "$out/$data-$who/scores.csv" "$out/${data}_$who.csv"; done
rm -r "$out/$data-teacher" "$out/$data-students"
python "$here/side_by_side.py" "$out/$data.png" "$teacher" "$teacher@8" "$teacher@1" "${students[@]}"
