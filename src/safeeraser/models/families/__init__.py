"""What a family of models needs that others do not."""
