"""What `colours.yaml` refers to: a picture of one colour, a question about it, and whether the answer names it."""

from PIL import Image

COLOURS = {"red": (200, 10, 10), "blue": (10, 10, 200)}


def doc_to_visual(doc):
    return [Image.new("RGB", (28, 28), COLOURS[doc["answer"]])] if doc["pictured"] else []


def doc_to_text(doc, **_):
    return doc["question"]


def process_results(doc, results):
    return {"exact_match": float(results[0].strip().lower() == doc["answer"])}
