"""What a run takes, reckoned before anything is started: memory a device and hours a stage."""
