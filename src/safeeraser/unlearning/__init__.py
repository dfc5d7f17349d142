"""The one training path: examples and an objective -> a PEFT adapter."""
