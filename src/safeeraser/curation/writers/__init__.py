"""Writers of questions: template files, a model on an OpenAI-compatible server, a local model."""
