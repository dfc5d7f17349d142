#!/bin/bash
# A training on two nodes with four GPUs each, the weights spread over all eight (FSDP2), for models that do not fit:
# sbatch configs/slurm/fsdp2.sh unlearn --data data/icons --model OWNER/NAME --method po+pd --output out/po+pd
# srun starts one launcher a node, and each of these a process a GPU.
#SBATCH --job-name=safeeraser
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
#SBATCH --output=%x-%j.log

main=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit=1 bash -c 'accelerate launch --config_file configs/accelerate/fsdp2.yaml \
    --num_machines "$SLURM_JOB_NUM_NODES" --num_processes "$((4 * SLURM_JOB_NUM_NODES))" \
    --machine_rank "$SLURM_NODEID" --main_process_ip "$0" --main_process_port 29500 \
    -m safeeraser "$@"' "$main" "$@"
