#!/bin/bash
# A run on two nodes with four GPUs each, a process a GPU, each with the whole model: sbatch configs/slurm/run.sh run.yaml
# The same command goes on with a run that was stopped, so a job that ends at its time limit is just submitted again.
#SBATCH --job-name=safeeraser
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --output=%x-%j.log

srun --kill-on-bad-exit=1 safeeraser run "$@"
